"""`mgeo insights`: what goes wrong most in results, and what has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import insights_export
from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.insights_options import (
    FileOption,
    LongOption,
    LowOption,
    RemainderOption,
    SeedOption,
    SinceOption,
    SourceOption,
    UntilOption,
    asked_range,
    thresholds,
)
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example
from deploy.cli.progress import progress_line


def register(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True, help=_HELP)
    group.callback(
        epilog=example(
            "mgeo insights --since 24h",
            "mgeo insights --since 1h --baseline-since 25h --baseline-until 24h",
            "mgeo insights --compare mgeo-starter-v1-20260915 mgeo-starter-v2-20261015",
            "mgeo insights --file results.jsonl --html insights.html",
        )
    )(insights)
    insights_export.register(group)
    app.add_typer(group, name="insights")


_HELP = """Say what goes wrong most in results, and what has moved.

Reads results and dead letters that are committed; nothing is written back. Examples are masked:
no digits, no phones, names or e-mail addresses, only the part around the trouble.
"""


def insights(
    context: typer.Context,
    since: SinceOption = None,
    until: UntilOption = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Which classes moved from version A to version B."),
    ] = None,
    baseline_since: Annotated[
        str | None, typer.Option(help="Compare with the range that begins then; as --since.")
    ] = None,
    baseline_until: Annotated[
        str | None, typer.Option(help="And ends then. Default: where --since begins.")
    ] = None,
    file: FileOption = None,
    baseline_file: Annotated[
        list[Path] | None,
        typer.Option("--baseline-file", metavar="FILE", help="Compare --file with these results."),
    ] = None,
    source: SourceOption = None,
    show_text: Annotated[
        bool,
        typer.Option("--show-text", help="Whole addresses as examples: personal data."),
    ] = False,
    examples: Annotated[int, typer.Option(min=0, max=100, help="Examples of each class.")] = 5,
    seed: SeedOption = 0,
    low_confidence: LowOption = 0.25,
    long_chars: LongOption = 100,
    remainder_chars: RemainderOption = 3,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures as csv, too.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page for people: one file that loads nothing."),
    ] = None,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from deploy.cli.insights_table import print_report
    from deploy.insights import Question, look
    from rollout.insights.tally import Bounds

    if compare and (baseline_since or baseline_until or baseline_file):
        raise typer.BadParameter(
            "--compare takes both versions from one range: leave the baseline out"
        )
    current = asked_range("this range", since, until, file)
    baseline = None
    if baseline_file or baseline_since or baseline_until:
        if bool(file) != bool(baseline_file):
            raise typer.BadParameter("compare files with files, or times with times")
        if baseline_until is None and not baseline_file:
            baseline_until = since
        baseline = asked_range(
            "baseline", baseline_since, baseline_until, baseline_file, "baseline-"
        )
    with progress_line() as progress:
        report = look(
            lambda: cluster(topic_prefix),
            Question(
                current=current,
                baseline=baseline,
                versions=compare,
                source=source,
                thresholds=thresholds(low_confidence, long_chars, remainder_chars),
                bounds=Bounds(examples=examples, seed=seed),
                show_text=show_text,
            ),
            progress,
        )
    if csv is not None:
        from deploy.cli.insights_csv import write_csv

        write_csv(report, csv)
        note(f"Figures: {csv}")
    if html is not None:
        from deploy.cli.insights_html import write_html

        write_html(report, html)
        note(f"Page: {html}")
    if output is Output.JSON:
        print_json(report.model_dump(mode="json"))
    else:
        print_report(report)
