"""Making requests: ids, expiries, and when two starts mean the same rollout. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from contracts.control import RolloutState
from contracts.requests import COMPARED, RolloutRequest, StartRequest
from contracts.rollout import Approval, Rollout
from rollout.stages import running

Verb = Literal["abort", "rollback", "pause", "resume"]

ANSWER_WITHIN: Final = timedelta(seconds=30)
"""How long an asker waits for the controller's answer. ``start``, ``approve`` and ``resume``
expire with it: who was told that nobody answered need not fear that it happens later."""

PROTECTIVE_VALID_FOR: Final = timedelta(hours=1)
"""``abort``, ``rollback`` and ``pause`` outlive a controller that is being restarted."""


def new_rollout_id(now: datetime, suffix: str) -> str:
    """``r-<yyyymmdd>-<suffix>``: sorts by day, and two machines never make the same.

    Args:
        now: with a time zone.
        suffix: a few random letters or digits.
    """
    return f"r-{now:%Y%m%d}-{suffix}"


def start_request(
    start: StartRequest,
    *,
    rollout_id: str,
    request_id: str,
    state: RolloutState,
    requested_by: str,
    now: datetime,
) -> RolloutRequest:
    """The request that starts a rollout, good only while nothing else has started or ended.

    Args:
        start: candidate, policy, replay, golden outcome.
        rollout_id: that the new one shall have.
        request_id: unique for ever.
        state: what the asker saw.
        requested_by: for the audit.
        now: with a time zone.
    """
    return RolloutRequest(
        request_id=request_id,
        kind="start",
        rollout_id=rollout_id,
        requested_at=_rfc3339(now),
        expires_at=_rfc3339(now + ANSWER_WITHIN),
        requested_by=requested_by,
        expected_entry=None if state.rollout is None else state.rollout.phase_entry,
        start=start,
    )


def verb_request(
    kind: Verb,
    rollout: Rollout,
    *,
    request_id: str,
    requested_by: str,
    now: datetime,
    reason: str = "",
) -> RolloutRequest:
    """A request about a rollout that runs; the protective ones name no phase entry."""
    compared = kind in COMPARED
    return RolloutRequest(
        request_id=request_id,
        kind=kind,
        rollout_id=rollout.rollout_id,
        requested_at=_rfc3339(now),
        expires_at=_rfc3339(now + (ANSWER_WITHIN if compared else PROTECTIVE_VALID_FOR)),
        requested_by=requested_by,
        expected_entry=rollout.phase_entry if compared else None,
        reason=reason,
    )


def approve_request(
    approval: Approval,
    rollout: Rollout,
    *,
    request_id: str,
    requested_by: str,
    now: datetime,
    reason: str = "",
) -> RolloutRequest:
    """The request that hands in a signature, good only for the phase entry that was looked at."""
    return RolloutRequest(
        request_id=request_id,
        kind="approve",
        rollout_id=rollout.rollout_id,
        requested_at=_rfc3339(now),
        expires_at=_rfc3339(now + ANSWER_WITHIN),
        requested_by=requested_by,
        expected_entry=rollout.phase_entry,
        approval=approval,
        reason=reason,
    )


def is_running(state: RolloutState) -> bool:
    """Whether a rollout is under way: no other may start."""
    return state.rollout is not None and running(state.phase)


def is_same_start(rollout: Rollout, start: StartRequest) -> bool:
    """Whether a start asks for this very rollout: candidate, policy and replay range agree.

    The golden outcome and who asks do not count: a job that is tried again attaches.
    """
    asked = None if start.replay_from is None else start.replay_from.asked
    replays = None if rollout.replay is None else rollout.replay.asked
    return (
        rollout.candidate == start.candidate and rollout.policy == start.policy and asked == replays
    )


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
