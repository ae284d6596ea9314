"""What the judge is told of a cut, and what is left of its answer when the evidence is spoiled."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from contracts.judgement import Accounting, Judgement
from contracts.rollout import Cut, Offsets, Rollout
from rollout.judge.look import Look

_SPOILED: Final[dict[str, dict[str, str]]] = {
    "runtime_changed": {
        "verdict": "inconclusive",
        "code": "runtime_changed",
        "reason": "shadow workers ran other models, precisions or rules than this rollout is "
        "about: what they compared proves nothing of it",
    },
    "evidence_disordered": {
        "verdict": "inconclusive",
        "code": "evidence_disordered",
        "reason": "pairs far beyond the shadow's commit: something else writes the evidence",
    },
}


def moment_ms(cut: Cut) -> int:
    """When the cut was taken, milliseconds since 1970."""
    return int(datetime.fromisoformat(cut.at).timestamp() * 1000)


def look_at(cut: Cut, rollout: Rollout, accounting: Accounting, expired: tuple[int, ...]) -> Look:
    """What the judge is told beside the outcomes."""
    begun = {p: rollout.from_offsets.get(p, 0) for p in cut.events}
    passed = {p: max(begun[p], cut.shadow_committed.get(p, 0)) for p in cut.events}
    return Look(
        cut=cut.number,
        now_ms=moment_ms(cut),
        elapsed_ms=cut.elapsed_ms,
        accounting=accounting,
        lag_records=sum(max(0, end - passed[p]) for p, end in cut.events.items()),
        input_records=sum(max(0, end - begun[p]) for p, end in cut.events.items()),
        replaying=_is_replaying(rollout, passed),
        of_the_past=rollout.replay is not None,
        expired=expired,
    )


def _is_replaying(rollout: Rollout, passed: Offsets) -> bool:
    """Whether all evidence is of the past that was asked for.

    It is until something newer was passed too: the newest input of a replay that has just come
    to its end is as old as it ever was, and still no sign that anything stands still.
    """
    if rollout.replay is None:
        return False
    until = rollout.replay.until
    begun = any(passed.get(p, 0) < end for p, end in until.items())
    return begun or all(offset <= until.get(p, 0) for p, offset in passed.items())


def without_proof(judgement: Judgement, spoiled: str) -> Judgement:
    """The judgement where the evidence proves nothing: harm stays harm, all else is open.

    Args:
        judgement: the judge's.
        spoiled: a code of ``_SPOILED``, or empty for evidence that is as it should be.
    """
    if not spoiled or judgement.verdict in ("fail", "inconclusive"):
        return judgement
    return judgement.model_copy(update=_SPOILED[spoiled])
