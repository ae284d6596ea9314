"""`mgeo rollout status` and `list`."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.output import Output, OutputOption, note, print_json, print_records
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.control import RolloutState
    from contracts.settings import KafkaSettings
    from rollout.standing import Standing

ROLLOUT = typer.Argument(metavar="[ID]", help="Default: the one that runs or ran last.")


def register(group: typer.Typer) -> None:
    group.command(
        "status", epilog=example("mgeo rollout status", "mgeo rollout status --output json")
    )(status)
    group.command("list", epilog=example("mgeo rollout list", "mgeo rollout list --output json"))(
        list_rollouts
    )


def status(
    rollout_id: Annotated[str | None, ROLLOUT] = None,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show where a rollout stands, what it waits for, and every gate with its figures.

    JSON has rollout_id, phase, paused, verdict and gates; rollout_id is null when none ever ran.
    """
    from deploy.cli.rollout_view import nothing_document, print_status, status_document

    state, standing, adoption, controllers = asyncio.run(_look(cluster(topic_prefix), rollout_id))
    if standing is None:
        document = nothing_document(state, controllers=controllers)
    else:
        document = status_document(
            standing, now=datetime.now(UTC), adoption=adoption, controllers=controllers
        )
    if output is Output.JSON:
        print_json(document)
    elif standing is None:
        print("No rollout has ever run here.")
        if state is not None:
            print(f"  serving    {state.serving.stable.name}")
    else:
        print_status(document, standing)
    if state is not None and (hint := stable_hint(state)):
        note(hint)


def stable_hint(state: RolloutState) -> str:
    """How to change what serves, where MGEO_VERSION names another model; else empty."""
    from deploy.doctor.serving import VERSION_VARIABLE, judge

    return judge(state, os.environ.get(VERSION_VARIABLE)).hint


async def _look(
    kafka: KafkaSettings, rollout_id: str | None
) -> tuple[RolloutState | None, Standing | None, Any, int]:
    from deploy.rollouts import find_standing, rollout_client
    from rollout.standing import standing_of

    client = rollout_client(kafka)
    state = await client.state()
    controllers = await client.controllers()
    standing = standing_of(state)
    if rollout_id is not None and (standing is None or standing.rollout_id != rollout_id):
        return state, await find_standing(client, rollout_id), None, controllers
    adoption = None if standing is None else await client.adoption()
    return state, standing, adoption, controllers


def list_rollouts(topic_prefix: PrefixOption = None, output: OutputOption = Output.TABLE) -> None:
    """List every rollout that the audit knows, oldest first."""
    rows = asyncio.run(_all(cluster(topic_prefix)))
    columns = ("rollout_id", "phase", "candidate", "reference", "started_at", "ended_at", "code")
    if not rows and output is Output.TABLE:
        print("No rollout has ever run here.")
        return
    if output is Output.TABLE:
        from deploy.cli.rollout_view import printable

        rows = [{name: row[name] and printable(str(row[name])) for name in columns} for row in rows]
    print_records(rows, columns, output)


async def _all(kafka: KafkaSettings) -> list[dict[str, Any]]:
    from contracts.phases import ENDED
    from deploy.rollouts import rollout_client

    rows: dict[str, dict[str, Any]] = {}
    async for record in rollout_client(kafka).audit():
        moved, rollout = record.transition, record.rollout
        if moved is None or rollout is None:
            continue
        rows[record.rollout_id] = {
            "rollout_id": record.rollout_id,
            "phase": str(moved.phase),
            "candidate": rollout.candidate.name,
            "reference": rollout.reference.name,
            "attempt": rollout.attempt,
            "started_at": rollout.started_at,
            "ended_at": record.at if moved.phase in ENDED else None,
            "requested_by": rollout.requested_by,
            "code": moved.code,
            "reason": moved.reason or moved.code,
        }
    return list(rows.values())
