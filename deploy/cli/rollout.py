"""`mgeo rollout`: the group alone. Each of its parts is a module that adds its own commands."""

from __future__ import annotations

from importlib import import_module

import typer

from deploy.cli.program import example

# One line per module with `register(group)`, in the order in which `mgeo rollout --help` shows
# their commands. Like the groups themselves they import nothing heavy until a command runs.
PARTS: tuple[str, ...] = (
    # Starting one and following it.
    "deploy.cli.rollout_start",
    "deploy.cli.rollout_status",
    "deploy.cli.rollout_watch",
    # Asking the controller for something.
    "deploy.cli.rollout_approve",
    "deploy.cli.rollout_verbs",
    # What it left behind: reports, audits, proofs.
    "deploy.cli.rollout_audit",
    "deploy.cli.rollout_report",
    # Files that it is judged by.
    "deploy.cli.rollout_policy",
    # The controller itself.
    "deploy.cli.rollout_controller",
)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True,
        help="Judge a candidate model on real traffic; promote it or throw it out.",
    )
    for part in PARTS:
        import_module(part).register(group)
    app.add_typer(group, name="rollout", epilog=example("mgeo rollout policy rollout.yaml"))
