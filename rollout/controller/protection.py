"""Protective moves: what ends a rollout whatever its phase, and the way out of each phase. Pure.

No pause stops them, and none of them ever brings a candidate nearer to production.
"""

from __future__ import annotations

from typing import Any, Final

from contracts.control import RolloutState
from contracts.judgement import Judgement
from contracts.phases import Phase
from rollout.controller.plan import Change, harmed, serve
from rollout.controller.view import View
from rollout.stages import SERVED, Cause

OF_TIME: Final = frozenset(
    {
        "max_duration",
        "no_traffic",
        "stale_evidence",
        "too_few_pairs",
        "shadow_too_slow",
        "thin_slice",
        "undecided_at_max",
    }
)
"""Inconclusive for want of time or traffic: after the gates have passed they only hold. A step or
a bake outlasts ``max_duration``, and a gate that has wavered since is harm only when it fires."""

CEILING_FROM: Final = 100
"""The ceiling on served errors is held against at least so many addresses: one error among the
first three is no error rate."""


def protect(view: View) -> Change | None:
    """The move that harm, an alarm or spoiled evidence demands; None while there is none."""
    judged = (
        Phase.SHADOWING,
        Phase.PASSED,
        Phase.AWAITING_APPROVAL,
        Phase.STAGING,
        *SERVED,
    )
    if view.phase not in judged:
        return None
    held = view.phase is Phase.BAKING and not view.rollout.policy.bake.auto_rollback
    judgement = view.rollout.judgement
    if harmed(judgement) and not held:
        assert judgement is not None  # noqa: S101  (harmed)
        code = judgement.code if judgement.verdict == "fail" else "gate_failed"
        return leave(view.state, Phase.ABORTED, Cause.FAILED, code, why(judgement))
    if not held and (alarm := alarm_of(view)) is not None:
        return leave(view.state, Phase.ROLLED_BACK, Cause.ALARMED, *alarm)
    if (
        judgement is not None
        and judgement.verdict == "inconclusive"
        # A pause stops timers, the judge's among them.
        and (not _of_time(judgement) or (view.phase is Phase.SHADOWING and not view.state.paused))
    ):
        return leave(
            view.state, Phase.INCONCLUSIVE, Cause.UNDECIDED, judgement.code, why(judgement)
        )
    return None


def _of_time(judgement: Judgement) -> bool:
    """Whether more time might have told otherwise: what is proven noisy stays noisy."""
    if judgement.code == "noisy_instrument":
        instrument = judgement.gate("aa")
        return instrument is not None and instrument.status != "failed"
    return judgement.code in OF_TIME


def alarm_of(view: View) -> tuple[str, str] | None:
    """Code and sentence of what rings while the candidate serves: the bake's alarm, the ceiling."""
    if view.phase not in SERVED:
        return None
    evidence = view.observation.evidence
    if view.phase is Phase.BAKING and evidence is not None and evidence.alarm is not None:
        return "bake_alarm", evidence.alarm.reason or "the bake's detector rang"
    served, errors = view.rollout.served, view.rollout.served_errors
    ceiling = view.rollout.policy.bake.max_error_rate
    if errors > ceiling * max(served, CEILING_FROM):
        found = f"{errors} of {served} addresses that the candidate served are errors"
        return "served_errors", f"{found}: more than {ceiling:.2%}"
    return None


def leave(state: RolloutState, ending: Phase, cause: Cause, code: str, reason: str) -> Change:
    """The way out of the present phase: at once before a share was written, else through
    ROLLING_BACK, which ends in ``ending`` when all partitions have adopted the return.

    Args:
        state: where it stands.
        ending: the phase that it ends in.
        cause: why.
        code: likewise, for looking up.
        reason: likewise, as a sentence.
    """
    rollout = state.rollout
    assert rollout is not None  # noqa: S101  (callers have looked)
    if not rollout.share_written:
        return Change(ending, cause, code, reason, serve(state.serving))
    changes: dict[str, Any] = {}
    if state.serving.stable.key != rollout.reference.key:
        # The withdrawn candidate is nobody's way back.
        changes["previous"] = None
    return Change(
        Phase.ROLLING_BACK,
        cause,
        code,
        reason,
        serve(state.serving, stable=rollout.reference),
        rollout={"ending": ending},
        state=changes,
    )


def why(judgement: Judgement) -> str:
    """A judgement's reason, as a sentence."""
    return judgement.reason or judgement.code
