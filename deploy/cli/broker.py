"""`mgeo up` and `mgeo down`: the Kafka broker on this machine."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example


class Runner(StrEnum):
    """What the broker runs in."""

    PROCESS = "process"
    DOCKER = "docker"


def register(app: typer.Typer) -> None:
    app.command(
        "up",
        epilog=example(
            "mgeo up", "mgeo up --port 19092", "mgeo up --secure", "mgeo up --broker docker"
        ),
    )(up)
    app.command("down", epilog=example("mgeo down", "mgeo down --wipe"))(down)


def up(
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port for clients; 0 takes a free one. Default: 9092, or a free one if taken.",
        ),
    ] = None,
    broker: Annotated[
        Runner, typer.Option(help="Run Kafka as a process from pip alone, or in Docker.")
    ] = Runner.PROCESS,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure",
            help="With TLS, a user for each role, and rights for none until they are granted.",
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Start a Kafka broker on this machine and leave it running.

    Harmless when it runs already. The first start downloads 44 MB.
    """
    from deploy.cli.download import jar_progress
    from deploy.local import stack
    from deploy.local.security import SUPER_USER
    from deploy.local.settings import LocalSettings

    with jar_progress() as progress:
        result = stack.up(
            LocalSettings(),
            port=port,
            kind=broker.value,
            secure=secure,
            notice=note,
            progress=progress,
        )
    if output is Output.JSON:
        print_json({"started": result.started, **asdict(result.state)})
        return
    state = result.state
    verb = "is up" if result.started else "was up already"
    print(f"Kafka {state.kafka_version} {verb} at {state.bootstrap_servers}")
    if result.started:
        note("Next: mgeo topics create. Stop it with: mgeo down")
    if state.environment:
        note(
            "Commands use its super user. To be another of its users: "
            f"set -a; . {state.environment.replace(SUPER_USER, 'mgeo-worker')}; set +a"
        )
    _say_who_finds_it(state.bootstrap_servers)


def _say_who_finds_it(address: str) -> None:
    """Point out who will not use this broker: whoever was told of another, and our Python API."""
    import os

    from contracts.settings import KafkaSettings
    from deploy.local.discovery import VARIABLE

    configured = os.environ.get(VARIABLE)
    if configured and configured != address:
        note(f"But {VARIABLE} is set: all commands use {configured}, not this broker.")
    elif not configured and KafkaSettings().kafka_bootstrap_servers != address:
        note(f"Commands find it. For Python and other clients: export {VARIABLE}={address}")


def down(
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Also remove all its topics and records.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop the broker that `mgeo up` started; its records are kept unless --wipe is given."""
    from deploy.local import stack
    from deploy.local.settings import LocalSettings

    result = stack.down(LocalSettings(), wipe=wipe)
    if output is Output.JSON:
        print_json(asdict(result))
        return
    if result.stopped:
        print("The broker is down." if result.graceful else "The broker had to be killed.")
    else:
        print("No broker was running.")
    if result.wiped:
        print("Its topics and records are removed.")
