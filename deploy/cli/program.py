"""The list of command groups, put together into one program.

A group is a module with `register(app)`; it imports nothing but typer and its neighbours here
until one of its commands runs, so that `mgeo --help` answers at once.
"""

from __future__ import annotations

from importlib import import_module

import typer

# One line per group, in the order in which `mgeo --help` shows them.
GROUPS: tuple[str, ...] = (
    "deploy.cli.broker",
    "deploy.cli.doctor",
    "deploy.cli.topics",
    "deploy.cli.parse",
    "deploy.cli.publish",
    "deploy.cli.worker",
    "deploy.cli.gateway",
    "deploy.cli.model",
    "deploy.cli.rollout",
    "deploy.cli.golden",
    "deploy.cli.demo",
    "deploy.cli.results",
    "deploy.cli.dlq",
    "deploy.cli.insights",
    "deploy.cli.deploy",
    "deploy.cli.bench",
)


def build() -> typer.Typer:
    """Put the whole program together."""
    app = typer.Typer(
        name="mgeo",
        help="Chinese addresses in, parsed results out, exactly once.",
        epilog="First steps: mgeo up, then mgeo topics create. What is missing: mgeo doctor.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    for group in GROUPS:
        import_module(group).register(app)
    return app


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        print(installed("mgeo-stream"))
    except PackageNotFoundError:
        print("not installed (running from a checkout)")
    raise typer.Exit


def _root(
    _version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and leave.",
        is_eager=True,
        callback=_print_version,
    ),
) -> None:
    pass


def example(*commands: str) -> str:
    """The last lines of a command's help: how it is really called."""
    return "Example: " + " · ".join(commands)
