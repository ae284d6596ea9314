"""`mgeo doctor`: what is missing on this machine and how to mend it."""

from __future__ import annotations

from dataclasses import asdict

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, print_json, print_table
from deploy.cli.program import example


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog=example("mgeo doctor", "mgeo doctor --output json"))(doctor)


def doctor(output: OutputOption = Output.TABLE) -> None:
    """Check Python, Java, Kafka, topics, models and device; leave with 1 if something is broken.

    ✓ is right, ✗ is broken, – is not there and not needed by everyone.
    """
    from deploy.doctor import Status, examine

    findings = examine()
    if output is Output.JSON:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(
            ("", "what", "found", "to mend"),
            [(f.status.mark, f.name, f.found, f.hint) for f in findings],
        )
    if any(finding.status is Status.BROKEN for finding in findings):
        raise typer.Exit(exit_codes.FAILED)
