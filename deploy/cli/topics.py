"""`mgeo topics create` and `mgeo topics check`; `acls`, `offsets` stand in modules of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import exit_codes, topic_acls, topic_offsets
from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.topics import CreateResult, Difference

# Called after the topics are there, each "module:function" with (KafkaSettings) → a line for
# people, or None when there was nothing to do.
AFTER_CREATE: tuple[str, ...] = ("deploy.first_state:ensure_first_state",)

PartitionsOption = Annotated[
    int | None,
    typer.Option(
        "--partitions",
        min=1,
        help="Of the input and of the topics that follow it. Default: as many as the input has, "
        "or 6.",
    ),
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True,
        help="Create and check the system's Kafka topics and the rights on them.",
    )
    group.command(
        "create", epilog=example("mgeo topics create", "mgeo topics create --partitions 12")
    )(create)
    group.command("check", epilog=example("mgeo topics check --output json"))(check)
    topic_acls.register(group)
    topic_offsets.register(group)
    app.add_typer(group, name="topics", epilog=example("mgeo topics create"))


def create(
    partitions: PartitionsOption = None,
    replication_factor: Annotated[
        int | None,
        typer.Option(min=1, help="Copies of each record. Default: 3, or 1 per broker if fewer."),
    ] = None,
    topics_only: Annotated[
        bool,
        typer.Option(
            "--topics-only", help="Do not write which model serves first; the controller will."
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create the topics that are missing and check those that exist. Safe to repeat.

    Then, on a new control topic, write that the model of MGEO_VERSION serves. Leaves with 1 when an
    existing topic is not as it must be; nothing that exists is changed.
    """
    from contracts.settings import KafkaSettings
    from deploy.local.discovery import kafka_settings
    from deploy.topics import TopicAdmin

    async def work(kafka: KafkaSettings) -> CreateResult:
        async with TopicAdmin(kafka) as admin:
            return await admin.create(partitions=partitions, replication=replication_factor)

    kafka = kafka_settings()
    result = asyncio.run(work(kafka))
    if output is Output.JSON:
        print_json(asdict(result))
    else:
        for name in result.created:
            print(f"created  {name}")
        for name in result.existing:
            print(f"exists   {name}")
        _print_differences(result.differences)
    if result.differences:
        raise typer.Exit(exit_codes.FAILED)
    # Last, so that what was done is printed even when there is no such model here.
    for hook in () if topics_only else AFTER_CREATE:
        module, _, function = hook.partition(":")
        if line := getattr(import_module(module), function)(kafka):
            note(line)


def check(partitions: PartitionsOption = None, output: OutputOption = Output.TABLE) -> None:
    """Compare the topics on the cluster with what the system needs; leave with 1 if they differ."""
    from deploy.local.discovery import kafka_settings
    from deploy.topics import TopicAdmin

    async def work() -> tuple[Difference, ...]:
        async with TopicAdmin(kafka_settings()) as admin:
            return await admin.check(partitions=partitions)

    differences = asyncio.run(work())
    if output is Output.JSON:
        print_json({"differences": [{**asdict(d), "hint": d.hint} for d in differences]})
    elif differences:
        _print_differences(differences)
    else:
        print("All topics are as they must be.")
    if differences:
        raise typer.Exit(exit_codes.FAILED)


def _print_differences(differences: Sequence[Difference]) -> None:
    if differences:
        print_table(
            ("topic", "setting", "must be", "is", "to mend"),
            [(d.topic, d.setting, d.expected, d.found, d.hint) for d in differences],
        )
