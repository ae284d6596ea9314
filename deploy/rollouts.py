"""What commands about rollouts share: the client, and the rollout that is meant."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import replace

from contracts.control import RolloutState
from contracts.errors import BackendUnreachableError, MgeoError, UsageError
from contracts.phases import Phase
from contracts.requests import RolloutRequest
from contracts.settings import KafkaSettings
from producer.topic_log import TopicLog
from rollout.asking import ANSWER_WITHIN, is_running
from rollout.client import RolloutClient
from rollout.logs import OpenLog
from rollout.stages import SERVED
from rollout.standing import (
    Standing,
    promoted_standing,
    standing_from_audit,
    standing_of,
    way_back,
)

_ASKERS = (
    "MGEO_REQUESTED_BY",
    "GITLAB_USER_LOGIN",
    "GITHUB_ACTOR",
    "BUILD_USER_ID",
    "CHANGE_AUTHOR",
)
"""Who asks, by the variables that CI servers set; the first that is there."""


class RequestRefusedError(MgeoError):
    """The controller has judged a request and refused it."""

    default_code = "request_refused"


def opener(kafka: KafkaSettings) -> OpenLog:
    """Opens topics of this cluster as logs."""
    return functools.partial(TopicLog, kafka)


def rollout_client(kafka: KafkaSettings) -> RolloutClient:
    """The client for this cluster."""
    return RolloutClient(kafka, opener(kafka))


def new_request_id() -> str:
    """Unique for ever."""
    return uuid.uuid4().hex


def requested_by(environment: Mapping[str, str] | None = None) -> str:
    """Who asks, for the audit: what CI says, else user and machine."""
    environment = os.environ if environment is None else environment
    for name in _ASKERS:
        if value := environment.get(name):
            return value[:200]
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"[:200]


async def find_standing(client: RolloutClient, rollout_id: str | None) -> Standing:
    """The rollout of that id, from the control record or else the audit; by default the newest.

    Raises:
        UsageError: ``no_rollout`` or ``unknown_rollout``.
        BackendUnreachableError: Kafka does not answer.
    """
    state = await client.state()
    current = standing_of(state)
    if rollout_id is None:
        if current is None:
            raise UsageError(
                "no rollout has ever run here",
                code="no_rollout",
                hint="start one: mgeo rollout start --candidate VERSION --policy rollout.yaml",
            )
        return current
    if current is not None and current.rollout_id == rollout_id:
        return current
    found = standing_from_audit([record async for record in client.audit(rollout_id)])
    if found is None:
        raise UsageError(
            f"there is no rollout {rollout_id}",
            code="unknown_rollout",
            hint="mgeo rollout list shows all of them",
        )
    return found if state is None else replace(found, way_back=way_back(state))


def the_current(state: RolloutState | None, rollout_id: str | None, *, verb: str) -> Standing:
    """The rollout that a request is about: the one of the control record, or for a rollback the
    promoted one before it.

    Args:
        state: the control record.
        rollout_id: as it was given; None means the one that runs, and for a rollback the one
            that serves.
        verb: what is asked: a promoted rollout may still be rolled back.

    Raises:
        UsageError: ``no_rollout_running``, ``rollout_ended``.
    """
    current = standing_of(state)
    if current is None or state is None:
        raise UsageError(
            f"there is nothing to {verb}: no rollout has ever run here",
            code="no_rollout_running",
            hint="start one: mgeo rollout start --candidate VERSION --policy rollout.yaml",
        )
    kept = promoted_standing(state) if verb == "rollback" else None
    if kept is not None:
        serves = current.phase in (*SERVED, Phase.PROMOTED)
        if rollout_id == kept.rollout_id or (rollout_id is None and not serves):
            return kept
    if rollout_id is not None and rollout_id != current.rollout_id:
        raise UsageError(
            f"{rollout_id} is not the rollout that runs or ran last; that is {current.rollout_id}",
            code="rollout_ended",
            hint=f"mgeo rollout status {rollout_id} says how it ended",
        )
    undoes = verb == "rollback" and current.phase in (Phase.PROMOTED, Phase.ROLLED_BACK)
    if rollout_id is None and not is_running(state) and not undoes:
        raise UsageError(
            f"there is nothing to {verb}: {current.rollout_id} has ended in {current.phase}",
            code="no_rollout_running",
            hint=f"mgeo rollout status {current.rollout_id} says why",
        )
    return current


def no_way_back(found: Standing) -> UsageError | None:
    """What there is to say of a promotion that is asked back too late; None when it was none.

    Args:
        found: an earlier rollout that the control record keeps nothing of any more.
    """
    if found.phase is not Phase.PROMOTED:
        return None
    before = found.rollout.reference
    return UsageError(
        f"{found.rollout_id} was promoted, but {before.name}, which served before it, is no "
        "longer kept: a later candidate has been staged since",
        code="no_way_back",
        hint=f"start a rollout of it: mgeo rollout start --candidate {before.version}",
    )


async def ask(client: RolloutClient, request: RolloutRequest) -> bool:
    """Send a request and wait for the controller's answer.

    Returns:
        True when it was done by this request; False when it was so already.

    Raises:
        RequestRefusedError: with the controller's code and sentence.
        BackendUnreachableError: ``no_controller`` when nobody answered, or Kafka is away.
    """
    entry = await client.ask(request, within_s=ANSWER_WITHIN.total_seconds() + 2.0)
    if entry is None:
        raise await _nobody_answered(client, request)
    if not entry.accepted:
        raise RequestRefusedError(
            entry.message or f"the controller refused the request: {entry.code}",
            code=entry.code or "request_refused",
            hint=_REFUSAL_HINTS.get(entry.code, "mgeo rollout status says where things stand"),
        )
    return entry.code != "already_so"


_REFUSAL_HINTS = {
    "rollout_running": "wait for it (mgeo rollout wait), or abort it (mgeo rollout abort)",
    "no_way_back": "start a rollout of that model: mgeo rollout start --candidate VERSION",
    "request_outdated": "something moved meanwhile: look at mgeo rollout status and ask again",
    "request_expired": "compare the clocks of this machine and the controller’s, and ask again",
    "looser_than_guardrails": "tighten the policy to the controller’s guardrails.yaml",
}


async def _nobody_answered(
    client: RolloutClient, request: RolloutRequest
) -> BackendUnreachableError:
    members = await client.controllers()
    lasting = request.kind in ("abort", "rollback", "pause")
    fate = (
        f"The request stays valid until {request.expires_at} and is obeyed once one runs."
        if lasting
        # Judged in its last moment it may be written after that: a broker can be slow.
        else "The request has expired: it will not happen later, unless a controller has it in "
        "hand right now, which mgeo rollout status shows."
    )
    if members:
        count = "A controller is" if members == 1 else f"{members} controllers are"
        return BackendUnreachableError(
            f"the controller did not answer within {ANSWER_WITHIN.seconds} s",
            code="no_controller",
            hint=f"{count} in the group {_GROUP_WORDS}; its log says what holds it up. {fate}",
        )
    return BackendUnreachableError(
        "no controller is running: nobody judges requests",
        code="no_controller",
        hint=f"Start one: mgeo rollout controller. {fate}",
    )


_GROUP_WORDS = "that holds the requests topic"
