"""`mgeo worker`: pulls batches from Kafka, parses them, writes results exactly once."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.health_options import HostOption, PortOption
from deploy.cli.program import example


def register(app: typer.Typer) -> None:
    app.command(
        "worker",
        epilog=example(
            "mgeo worker",
            "mgeo worker --role shadow --port 9465",
            "MGEO_DEVICE=cuda mgeo worker --host 0.0.0.0 --port 9464",
        ),
    )(worker)


def worker(
    role: Annotated[
        str,
        typer.Option(
            help="stable serves production; shadow runs a rollout's candidate beside it, unseen."
        ),
    ] = "stable",
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C; then it drains and leaves with 0.

    A shadow worker waits for a rollout, runs it to its end, and waits for the next.

    Every setting is an environment variable; docs/reference/settings.md lists them.
    """
    from deploy.service import check_role, leave_on_sigterm, serve_worker

    leave_on_sigterm()
    from consumer.settings import WorkerSettings
    from contracts.logs import configure_logs
    from deploy.local.discovery import kafka_settings

    check_role(role)
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    configure_logs()
    serve_worker(WorkerSettings().model_copy(update=given), kafka_settings(), role)
