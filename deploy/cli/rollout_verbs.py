"""`mgeo rollout abort`, `rollback`, `pause` and `resume`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.settings import KafkaSettings
    from rollout.asking import Verb
    from rollout.standing import Standing

IdArgument = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Default: the one that is running.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the audit.")]


def register(group: typer.Typer) -> None:
    group.command("abort", epilog=example("mgeo rollout abort --reason 'wrong model'"))(abort)
    group.command(
        "rollback", epilog=example("mgeo rollout rollback --reason 'complaints from the CRM'")
    )(rollback)
    group.command("pause", epilog=example("mgeo rollout pause"))(pause)
    group.command("resume", epilog=example("mgeo rollout resume"))(resume)


def abort(
    rollout_id: IdArgument = None,
    reason: ReasonOption = "",
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """End a rollout; where the candidate served already, everything returns to the stable model."""
    _verb("abort", rollout_id, reason, topic_prefix, output)


def rollback(
    rollout_id: IdArgument = None,
    reason: ReasonOption = "",
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Return to the model that served before, also after a promotion.

    Without an ID: the newest rollout where its candidate serves, else the promoted one before it,
    for as long as no later one has reached STAGING. A pointer moves and no process restarts:
    seconds. wait --until ROLLED_BACK sees it through.
    """
    _verb("rollback", rollout_id, reason, topic_prefix, output)


def pause(
    rollout_id: IdArgument = None,
    reason: ReasonOption = "",
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop forward moves and timers; guards go on and still abort or roll back."""
    _verb("pause", rollout_id, reason, topic_prefix, output)


def resume(
    rollout_id: IdArgument = None,
    reason: ReasonOption = "",
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let a paused rollout go on."""
    _verb("resume", rollout_id, reason, topic_prefix, output)


def _verb(
    kind: Verb, rollout_id: str | None, reason: str, topic_prefix: str | None, output: Output
) -> None:
    standing, fresh = asyncio.run(_ask(kind, rollout_id, reason, cluster(topic_prefix)))
    returns = standing.rollout.reference.name if kind == "rollback" else ""
    if output is Output.JSON:
        document = {
            "rollout_id": standing.rollout_id,
            "request": kind,
            "accepted": True,
            "already_so": not fresh,
            "phase": str(standing.phase),
            "paused": standing.paused,
        }
        print_json(document | ({"returns_to": returns} if returns else {}))
        return
    paused = ", paused" if standing.paused else ""
    how = "done" if fresh else "it was so already"
    print(f"{kind} {standing.rollout_id}: {how}; now {standing.phase}{paused}")
    if returns:
        verb = "serves again" if standing.ended else "comes back"
        print(f"{returns} {verb} in the place of {standing.rollout.candidate.name}")
    if kind in ("abort", "rollback") and not standing.ended:
        until = "ROLLED_BACK" if kind == "rollback" else "ABORTED"
        note(f"See it through: mgeo rollout wait {standing.rollout_id} --until {until}")


async def _ask(
    kind: Verb, rollout_id: str | None, reason: str, kafka: KafkaSettings
) -> tuple[Standing, bool]:
    from contracts.errors import UsageError
    from deploy.cli.rollout_waiting import asking
    from deploy.rollouts import (
        ask,
        find_standing,
        new_request_id,
        no_way_back,
        requested_by,
        rollout_client,
        the_current,
    )
    from rollout.asking import verb_request

    client = rollout_client(kafka)
    try:
        current = the_current(await client.state(), rollout_id, verb=kind)
    except UsageError as error:
        if error.code != "rollout_ended" or kind != "rollback":
            raise
        raise no_way_back(await find_standing(client, rollout_id)) or error from None
    request = verb_request(
        kind,
        current.rollout,
        request_id=new_request_id(),
        requested_by=requested_by(),
        now=datetime.now(UTC),
        reason=reason,
    )
    with asking():
        fresh = await ask(client, request)
    return await find_standing(client, current.rollout_id), fresh
