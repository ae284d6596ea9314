"""`mgeo topics acls`: the rights of each role in Kafka, printed, scripted, compared or granted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.security.grants import Comparison, Grant

RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", help="Only this role; may be repeated. Default: all of them."),
]
UserOption = Annotated[
    list[str] | None,
    typer.Option(
        "--user",
        metavar="ROLE=USER",
        help="The user that stands for a role; may be repeated. Default: mgeo-ROLE.",
    ),
]


def register(group: typer.Typer) -> None:
    group.command(
        "acls",
        epilog=example(
            "mgeo topics acls",
            "mgeo topics acls --role worker --user worker=etl-worker --script",
            "mgeo topics acls --check",
            "mgeo topics acls --apply",
        ),
    )(acls)


def acls(
    role: RoleOption = None,
    user: UserOption = None,
    script: Annotated[
        bool, typer.Option("--script", help="Print a shell script for kafka-acls instead.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare with the cluster; leave with 1 if rights are missing."
        ),
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Grant what is missing. Takes nothing away.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the least that each role needs in Kafka; grant it with --apply.

    Without --check or --apply no cluster is asked. Rights that a user has beyond its roles are
    told and never taken away.
    """
    from contracts.acls import roles
    from contracts.settings import KafkaSettings
    from deploy.security.acl_script import acl_script
    from deploy.security.grants import chosen_roles, grants, users_of

    if sum((script, check, apply)) > 1:
        raise typer.BadParameter("--script, --check and --apply exclude one another")
    available = roles(KafkaSettings().names)
    chosen = chosen_roles(available, role or [])
    wanted = grants(chosen, users_of(user or [], available))
    if script:
        print(acl_script(wanted), end="")
    elif check or apply:
        compared = asyncio.run(_compare(wanted, apply=apply))
        _tell(compared, output, applied=apply)
        if compared.missing and not apply:
            raise typer.Exit(exit_codes.FAILED)
    elif output is Output.JSON:
        print_json([_row(one) for one in wanted])
    else:
        _print_grants(wanted)


async def _compare(wanted: Sequence[Grant], *, apply: bool) -> Comparison:
    from deploy.local.discovery import kafka_settings
    from deploy.security.acl_admin import AclAdmin

    async with AclAdmin(kafka_settings()) as admin:
        compared = await admin.compare(wanted)
        if apply:
            await admin.grant(compared.missing)
    return compared


def _tell(compared: Comparison, output: Output, *, applied: bool) -> None:
    word = "granted" if applied else "missing"
    if output is Output.JSON:
        parts = {word: compared.missing, "present": compared.present, "beyond": compared.beyond}
        print_json({name: [_row(one) for one in part] for name, part in parts.items()})
        return
    if compared.missing:
        _print_grants(compared.missing)
    print(f"{len(compared.missing)} {word}, {len(compared.present)} there already.")
    if compared.beyond:
        note(f"{len(compared.beyond)} rights are beyond what these users' roles need:")
        for one in compared.beyond:
            right = one.right
            note(f"  {one.principal}: {right.operation} {right.resource} {right.name}")


def _print_grants(grants: Sequence[Grant]) -> None:
    print_table(
        ("principal", "resource", "name", "operation"),
        [
            (
                one.principal,
                one.right.resource,
                f"{one.right.name}*" if one.right.prefixed else one.right.name,
                one.right.operation,
            )
            for one in grants
        ],
    )


def _row(grant: Grant) -> dict[str, Any]:
    return {"principal": grant.principal, **asdict(grant.right)}
