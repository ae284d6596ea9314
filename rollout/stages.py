"""Every legal move of a rollout, and its cause.

Two rules. What may stand here: the phases, the causes, the table, and what follows from them.
What may not: when a cause holds (``rollout.controller.decide``), and anything with I/O or a
clock. A move that is not in the table is an ``IllegalTransition``, whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.errors import IllegalTransition
from contracts.phases import ENDED, Phase


class Cause(StrEnum):
    """Why a phase is left."""

    START = "start"
    CALLED = "called"
    WARM = "warm"
    PASSED = "passed"
    UNSIGNED = "unsigned"
    CLEARED = "cleared"
    APPROVED = "approved"
    ADOPTED = "adopted"
    STEP_DONE = "step_done"
    BAKED = "baked"
    FAILED = "failed"
    ALARMED = "alarmed"
    REFUSED = "refused"
    UNDECIDED = "undecided"
    ABORT = "abort"
    ROLLBACK = "rollback"
    RETURNED = "returned"


MEANING: Final[dict[Cause, str]] = {
    Cause.START: "a start request was accepted",
    Cause.CALLED: "the shadow workers are called",
    Cause.WARM: "every input partition has a warm shadow worker",
    Cause.PASSED: "all gates have passed",
    Cause.UNSIGNED: "the policy requires an approval",
    Cause.CLEARED: "the policy requires no approval",
    Cause.APPROVED: "the frozen decision was approved",
    Cause.ADOPTED: "every input partition has adopted the serving set",
    Cause.STEP_DONE: "the step's time, results and fresh evidence are there",
    Cause.BAKED: "the bake's time, results and fresh evidence are there",
    Cause.FAILED: "a gate has failed",
    Cause.ALARMED: "the bake's alarm, or the ceiling on served errors",
    Cause.REFUSED: "workers cannot hold the candidate, or do not take it",
    Cause.UNDECIDED: "the evidence cannot decide, or time is up",
    Cause.ABORT: "an abort request",
    Cause.ROLLBACK: "a rollback request",
    Cause.RETURNED: "every input partition has adopted the return",
}
"""Each cause in words."""

FORWARD: Final = frozenset(
    {
        Cause.CALLED,
        Cause.WARM,
        Cause.PASSED,
        Cause.UNSIGNED,
        Cause.CLEARED,
        Cause.APPROVED,
        Cause.ADOPTED,
        Cause.STEP_DONE,
        Cause.BAKED,
    }
)
"""Causes that bring a candidate nearer to production; a pause stops exactly these."""

UNSERVED: Final = (
    Phase.REGISTERED,
    Phase.WARMING,
    Phase.SHADOWING,
    Phase.PASSED,
    Phase.AWAITING_APPROVAL,
    Phase.STAGING,
)
"""Phases before a share was written: leaving them disturbs no result."""

SERVED: Final = (Phase.CANARY, Phase.CUTTING_OVER, Phase.BAKING)
"""Phases in which the candidate serves: the only way out but forward is ROLLING_BACK."""

RETURNS: Final = frozenset({Phase.INCONCLUSIVE, Phase.ABORTED, Phase.ROLLED_BACK})
"""What ROLLING_BACK can end in."""


@dataclass(frozen=True, slots=True)
class Move:
    """One legal move."""

    source: Phase | None
    target: Phase
    cause: Cause


def _moves(
    cause: Cause, sources: Iterable[Phase | None], targets: Iterable[Phase]
) -> tuple[Move, ...]:
    wanted = tuple(targets)
    return tuple(Move(source, target, cause) for source in sources for target in wanted)


_JUDGED_UNSERVED: Final = (
    Phase.SHADOWING,
    Phase.PASSED,
    Phase.AWAITING_APPROVAL,
    Phase.STAGING,
)

TABLE: Final[tuple[Move, ...]] = (
    *_moves(
        Cause.START,
        (None, Phase.PROMOTED, Phase.INCONCLUSIVE, Phase.ABORTED, Phase.ROLLED_BACK),
        (Phase.REGISTERED,),
    ),
    *_moves(Cause.CALLED, (Phase.REGISTERED,), (Phase.WARMING,)),
    *_moves(Cause.WARM, (Phase.WARMING,), (Phase.SHADOWING,)),
    *_moves(Cause.PASSED, (Phase.SHADOWING,), (Phase.PASSED,)),
    *_moves(Cause.UNSIGNED, (Phase.PASSED,), (Phase.AWAITING_APPROVAL,)),
    *_moves(Cause.CLEARED, (Phase.PASSED,), (Phase.STAGING,)),
    *_moves(Cause.APPROVED, (Phase.AWAITING_APPROVAL,), (Phase.STAGING,)),
    *_moves(Cause.ADOPTED, (Phase.STAGING,), (Phase.CANARY, Phase.CUTTING_OVER)),
    *_moves(Cause.STEP_DONE, (Phase.CANARY,), (Phase.CANARY, Phase.CUTTING_OVER)),
    *_moves(Cause.ADOPTED, (Phase.CUTTING_OVER,), (Phase.BAKING,)),
    *_moves(Cause.BAKED, (Phase.BAKING,), (Phase.PROMOTED,)),
    *_moves(Cause.FAILED, _JUDGED_UNSERVED, (Phase.ABORTED,)),
    *_moves(Cause.REFUSED, (Phase.WARMING, Phase.STAGING), (Phase.ABORTED,)),
    *_moves(Cause.UNDECIDED, (Phase.WARMING, *_JUDGED_UNSERVED), (Phase.INCONCLUSIVE,)),
    *_moves(Cause.ABORT, UNSERVED, (Phase.ABORTED,)),
    *_moves(Cause.FAILED, SERVED, (Phase.ROLLING_BACK,)),
    *_moves(Cause.ALARMED, SERVED, (Phase.ROLLING_BACK,)),
    *_moves(Cause.UNDECIDED, SERVED, (Phase.ROLLING_BACK,)),
    *_moves(Cause.ABORT, SERVED, (Phase.ROLLING_BACK,)),
    *_moves(Cause.ROLLBACK, (*SERVED, Phase.PROMOTED), (Phase.ROLLING_BACK,)),
    *_moves(
        Cause.RETURNED,
        (Phase.ROLLING_BACK,),
        (Phase.INCONCLUSIVE, Phase.ABORTED, Phase.ROLLED_BACK),
    ),
)
"""Every legal move. Nothing else ever happens to a rollout."""

_LEGAL: Final = frozenset(TABLE)


def legal(source: Phase | None, target: Phase, cause: Cause) -> bool:
    """Whether the table has this move."""
    return Move(source, target, cause) in _LEGAL


def check(source: Phase | None, target: Phase, cause: Cause) -> None:
    """Let a move of the table pass.

    Raises:
        IllegalTransition: it is not in the table; the message says whose mistake that is: a
            caller's for what people ask for, ours for everything else.
    """
    if legal(source, target, cause):
        return
    here = "before the first rollout" if source is None else f"in {source}"
    asked = cause in (Cause.START, Cause.ABORT, Cause.ROLLBACK, Cause.APPROVED)
    whose = (
        "whoever asked for it had not seen the present phase"
        if asked
        else "the controller decided it against its own table"
    )
    raise IllegalTransition(
        f"{here}, {cause} does not lead to {target}: {whose}",
        hint="look at `mgeo rollout status`" if asked else "report this with the audit",
    )


def running(phase: str | None) -> bool:
    """Whether a rollout in this phase keeps others from starting."""
    return phase is not None and phase not in ENDED


def diagram() -> str:
    """The table as a Mermaid state diagram; ``docs/architecture/rollout.md`` shows it."""
    grouped: dict[tuple[Phase | None, Phase], list[str]] = {}
    for move in TABLE:
        grouped.setdefault((move.source, move.target), []).append(move.cause.value)
    lines = ["stateDiagram-v2"]
    for (source, target), causes in grouped.items():
        lines.append(f"    {source or '[*]'} --> {target}: {', '.join(causes)}")
    return "\n".join(lines) + "\n"


def causes_table() -> str:
    """The causes in words, as a Markdown table."""
    rows = [f"| `{cause}` | {meaning} |" for cause, meaning in MEANING.items()]
    return "\n".join(["| cause | holds when |", "|---|---|", *rows]) + "\n"
