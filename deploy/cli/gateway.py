"""`mgeo gateway`: parsing over HTTP, by the workers that serve the stream."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.program import example


def register(app: typer.Typer) -> None:
    app.command(
        "gateway",
        epilog=example(
            "mgeo gateway",
            "mgeo gateway --host 0.0.0.0 --port 8080",
            "MGEO_GATEWAY_TOPIC=events mgeo gateway",
        ),
    )(gateway)


def gateway(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Its port; 0 takes any free one.")
    ] = None,
) -> None:
    """Answer POST /parse, /parse/batch and /events until SIGTERM or Ctrl-C; then leave with 0.

    It needs Kafka and at least one `mgeo worker`. Run as many as you like: they share nothing.
    What it takes and answers: GET /openapi.json.

    Every setting is an environment variable; docs/reference/settings.md lists them.
    """
    from deploy.service import leave_on_sigterm

    leave_on_sigterm()
    from contracts.logs import configure_logs
    from contracts.settings import LimitSettings
    from deploy.gateway_service import serve_gateway
    from deploy.local.discovery import kafka_settings
    from producer.gateway.settings import GatewaySettings

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    configure_logs()
    serve_gateway(
        GatewaySettings().model_copy(update=given), kafka_settings(), LimitSettings().limits
    )
