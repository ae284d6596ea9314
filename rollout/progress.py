"""How far a rollout is and what it waits for, as figures and one sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts.durations import format_duration
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Rollout, WorkerRefusal
from rollout.partitions import InputPartition, of_both
from rollout.standing import Standing

FORWARD: tuple[Phase, ...] = (
    Phase.REGISTERED,
    Phase.WARMING,
    Phase.SHADOWING,
    Phase.PASSED,
    Phase.AWAITING_APPROVAL,
    Phase.STAGING,
    Phase.CANARY,
    Phase.CUTTING_OVER,
    Phase.BAKING,
    Phase.PROMOTED,
)
"""The way to promotion, in order. ``AWAITING_APPROVAL`` may be left out."""

_NAMED_PARTITIONS = 8


def has_reached(phase: Phase, wanted: Phase) -> bool:
    """Whether a rollout in this phase is at the wanted one, or further on the way to promotion."""
    if phase is wanted:
        return True
    return phase in FORWARD and wanted in FORWARD and FORWARD.index(phase) > FORWARD.index(wanted)


def in_phase_for(rollout: Rollout, now: datetime) -> timedelta:
    """How long the present phase (or step) has lasted, as its timers count it."""
    since = datetime.fromisoformat(rollout.phase_since)
    until = now
    if rollout.paused_since is not None:
        until = min(now, datetime.fromisoformat(rollout.paused_since))
    passed = until - since - timedelta(milliseconds=rollout.paused_ms)
    return max(passed, timedelta(0))


def waits_for(standing: Standing, now: datetime) -> str:
    """One sentence: what has to happen before this rollout moves on; why it ended, if it has."""
    rollout = standing.rollout
    if standing.ended:
        return rollout.reason
    sentence = _waits_for(standing, now)
    if standing.paused:
        return f"paused: no forward move until `mgeo rollout resume`; {sentence}"
    return sentence


def _waits_for(standing: Standing, now: datetime) -> str:
    rollout, policy = standing.rollout, standing.rollout.policy
    match standing.phase:
        case Phase.REGISTERED:
            return "the controller is about to call shadow workers"
        case Phase.WARMING:
            return _warming(rollout)
        case Phase.SHADOWING:
            return _shadowing(standing, now)
        case Phase.PASSED:
            return "passed; the controller goes on at once"
        case Phase.AWAITING_APPROVAL:
            if rollout.approval is not None:
                return f"approved with key {rollout.approval.key_id}; the controller goes on"
            return (
                f"an approval: mgeo rollout approve {rollout.rollout_id} --key FILE"
                f"{_left(policy.approval.valid_for, rollout, now, 'inconclusive')}"
            )
        case Phase.STAGING:
            return _adopting(rollout, "hold the candidate ready")
        case Phase.CANARY:
            return _canary(rollout, now)
        case Phase.CUTTING_OVER:
            return _adopting(rollout, "serve the candidate as stable")
        case Phase.BAKING:
            return _served(
                rollout, policy.bake.min_results, policy.bake.duration, now, "watched in production"
            )
        case _:
            return _adopting(rollout, "serve the previous model again")


def _warming(rollout: Rollout) -> str:
    refused = [one for one in rollout.refusals if one.role == "shadow"]
    if refused:
        return "a shadow worker cannot hold the candidate: " + _refusals(refused)
    if rollout.waiting_for:
        return (
            "shadow workers to load both models: "
            f"{_partitions(rollout.waiting_for)} not owned by one that is ready "
            "(mgeo worker --role shadow)"
        )
    return "shadow workers to load both models (mgeo worker --role shadow)"


def _shadowing(standing: Standing, now: datetime) -> str:
    rollout, judgement = standing.rollout, standing.judgement
    if judgement is None:
        return "the first pairs"
    policy = rollout.policy
    if judgement.verdict in ("no_data", "stale"):
        what = "a first pair" if judgement.verdict == "no_data" else "fresh pairs"
        words = judgement.reason or judgement.code
        return f"{what}: {words}{_to_decide(policy, rollout, now)}"
    need: list[str] = []
    distinct = judgement.accounting.distinct
    if distinct < policy.shadow.min_pairs:
        need.append(f"{distinct:,} of {policy.shadow.min_pairs:,} distinct addresses")
    left = policy.shadow.min_duration - in_phase_for(rollout, now)
    if left > timedelta(0):
        need.append(f"{about(left)} more of {format_duration(policy.shadow.min_duration)}")
    open_gates = [
        gate.name
        for gate in judgement.gates
        if gate.kind in ("proof", "instrument") and gate.status == "undecided"
    ]
    if open_gates:
        need.append("proof of " + ", ".join(open_gates))
    waiting_guards = [
        gate.name
        for gate in judgement.gates
        if gate.kind == "guard"
        and gate.status == "undecided"
        and not gate.name.startswith(("harm_", "slice:"))
    ]
    if waiting_guards:
        need.append("enough for " + ", ".join(waiting_guards))
    if not need:
        return judgement.reason or "the next look"
    return "; ".join(need)


def _to_decide(policy: Policy, rollout: Rollout, now: datetime) -> str:
    return _left(policy.shadow.max_duration, rollout, now, "inconclusive")


def _adopting(rollout: Rollout, what: str) -> str:
    if rollout.refusals:
        return f"workers to {what}; refused by " + _refusals(rollout.refusals)
    if waiting := _waiting(rollout):
        return f"{_partitions(waiting)} to {what}"
    return f"every partition to {what}"


def _canary(rollout: Rollout, now: datetime) -> str:
    steps = rollout.policy.canary.steps
    step = steps[min(rollout.step, len(steps) - 1)]
    head = f"step {rollout.step + 1} of {len(steps)} at {step.share:.0%}"
    if waiting := _waiting(rollout):
        return f"{head}: {_partitions(waiting)} to adopt it"
    return _served(rollout, step.min_results, step.duration, now, head)


def _served(
    rollout: Rollout, min_results: int, duration: timedelta, now: datetime, head: str
) -> str:
    need: list[str] = []
    if rollout.served < min_results:
        need.append(f"{rollout.served:,} of {min_results:,} addresses served by the candidate")
    left = duration - in_phase_for(rollout, now)
    if left > timedelta(0):
        need.append(f"{about(left)} more of {format_duration(duration)}")
    return f"{head}: " + ("; ".join(need) or "the next look")


def _left(limit: timedelta, rollout: Rollout, now: datetime, otherwise: str) -> str:
    left = limit - in_phase_for(rollout, now)
    return f" ({otherwise} in {about(left)})" if left > timedelta(0) else ""


def _waiting(rollout: Rollout) -> tuple[InputPartition, ...]:
    return of_both(rollout.waiting_for, rollout.waiting_interactive)


def _partitions(numbers: Sequence[object]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_NAMED_PARTITIONS])
    more = len(numbers) - _NAMED_PARTITIONS
    tail = f" and {more} more" if more > 0 else ""
    return f"partition{'s' if len(numbers) != 1 else ''} {shown}{tail}"


def _refusals(refusals: Sequence[WorkerRefusal]) -> str:
    shown = ", ".join(
        f"partition {InputPartition(one.interactive, one.partition)} ({one.code})"
        for one in refusals[:_NAMED_PARTITIONS]
    )
    more = len(refusals) - _NAMED_PARTITIONS
    return f"{shown} and {more} more" if more > 0 else shown


def about(duration: timedelta) -> str:
    """A duration for people who wait: two units at most, ``1h 5m``, ``42s``."""
    seconds = round(duration.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [
        f"{value}{unit}"
        for value, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
        if value
    ]
    return " ".join(parts[:2]) or "0s"
