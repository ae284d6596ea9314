"""When the evidence is cut. Pure.

Every judged cut is recorded, and a successor folds exactly those again; so a cut is only judged
when something has moved or the verdict could change by time alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from contracts.judgement import Judgement
from contracts.policy import Policy
from contracts.rollout import Cut
from rollout.controller.timing import milliseconds, moment

_SLOWER_OVER: Final = 360
"""After so many intervals of evidence the interval begins to grow with its age."""

_AT_LEAST_EVERY: Final = timedelta(minutes=1)
"""So that the age of the newest cut says whether anybody judges."""


def pause_s(elapsed_ms: int, *, shortest_s: float, longest_s: float) -> float:
    """Seconds from one cut to the next: longer as a rollout ages, so that its audit stays small.

    Args:
        elapsed_ms: milliseconds since shadowing began.
        shortest_s: at the beginning.
        longest_s: at most.
    """
    return min(max(shortest_s, elapsed_ms / 1000 / _SLOWER_OVER), longest_s)


def worth_judging(last: Cut | None, judgement: Judgement | None, cut: Cut, policy: Policy) -> bool:
    """Whether judging at this cut could tell more than at the last one.

    Args:
        last: the last judged cut; None when there is none.
        judgement: what was said at it.
        cut: the new one.
        policy: of the rollout.
    """
    if last is None or judgement is None or _ends(last) != _ends(cut):
        return True
    before, after = moment(last.at), moment(cut.at)
    if before is None or after is None or after - before >= _AT_LEAST_EVERY:
        return True
    shadow = policy.shadow
    turns = [milliseconds(shadow.min_duration), milliseconds(shadow.max_duration)]
    if any(last.elapsed_ms < turn <= cut.elapsed_ms for turn in turns):
        return True
    newest = judgement.accounting.newest_input_ms
    if newest is None:
        return False
    stale_at = newest + milliseconds(shadow.stale_after)
    return _ms(before) <= stale_at < _ms(after)


def _ends(cut: Cut) -> tuple[dict[int, int], ...]:
    return cut.shadow, cut.parsed, cut.shadow_committed, cut.events


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
