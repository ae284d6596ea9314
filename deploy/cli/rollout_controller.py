"""`mgeo rollout controller` and `mgeo rollout keygen`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.health_options import HostOption, PortOption
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example


def register(group: typer.Typer) -> None:
    group.command(
        "controller",
        epilog=example(
            "mgeo rollout controller",
            "mgeo rollout controller --guardrails guardrails.yaml --keyring keyring.yaml",
        ),
    )(controller)
    group.command("keygen", epilog=example("mgeo rollout keygen alice --out alice.pem"))(keygen)


def controller(
    guardrails: Annotated[
        Path | None, typer.Option(help="YAML file: the loosest policy that is taken.")
    ] = None,
    keyring: Annotated[
        Path | None, typer.Option(help="YAML file: the keys whose approvals count.")
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Judge rollouts and decide them, until SIGTERM or Ctrl-C; then leave with 0.

    Run two or more: one leads, and another takes over within seconds. Nothing is kept on disk.
    Every setting is an environment variable; docs/reference/settings.md lists them.
    """
    from deploy.service import leave_on_sigterm

    leave_on_sigterm()
    from contracts.logs import configure_logs
    from deploy.local.discovery import kafka_settings
    from deploy.rollout_service import serve_controller
    from rollout.settings import ControllerSettings

    given = {
        name: value
        for name, value in (
            ("guardrails", guardrails),
            ("keyring", keyring),
            ("host", host),
            ("port", port),
        )
        if value is not None
    }
    configure_logs()
    serve_controller(ControllerSettings().model_copy(update=given), kafka_settings())


def keygen(
    key_id: Annotated[str, typer.Argument(help="The key's name in the keyring, e.g. a person's.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File of the private key; must not exist yet. Default: KEY_ID.pem."
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a key to approve rollouts with (Ed25519).

    Standard output is the keyring entry with the public key: add it to the file that the
    controller reads. The private key stays with the one who approves.
    """
    from rollout.approvals import keyring_yaml, new_key, write_private_key

    pem, public = new_key()
    file = out or Path(f"{key_id}.pem")
    write_private_key(file, pem)
    if output is Output.JSON:
        print_json({"key_id": key_id, "public_key": public, "private_key_file": str(file)})
    else:
        print(keyring_yaml({key_id: public}), end="")
    note(f"The private key is in {file}: keep it to yourself, it cannot be made again.")
