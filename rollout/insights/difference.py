"""Which shares differ between two tallies, with a test that knows how many were looked at. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

from rollout.insights.classes import CLASSES
from rollout.insights.data import Change, Movement
from rollout.insights.tally import ANY, Tally
from rollout.stats.display import wilson_interval

ALPHA: Final = 0.05
"""The chance that anything at all is said to have moved where nothing has."""

Kind = Literal["any", "class", "detail", "error", "dead_letter"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One share on both sides: so many of so many."""

    kind: Kind
    code: str
    detail: str
    before: int
    before_n: int
    after: int
    after_n: int


def changes(baseline: Tally, current: Tally) -> tuple[Change, ...]:
    """Every share that both ranges have, differences together; what moved comes first."""
    return differences(list(_compared(baseline, current)))


def differences(compared: Sequence[Compared]) -> tuple[Change, ...]:
    """Fisher's exact test (1935) of each, adjusted by Holm (1979) over all of them.

    Addresses are taken as independent draws. Where both sides hold the same addresses, that errs
    on the careful side; where one publisher's file makes up a range, it does not.
    """
    raw = [fisher_p(one.before, one.before_n, one.after, one.after_n) for one in compared]
    adjusted = holm(raw)
    z = NormalDist().inv_cdf(1 - ALPHA / (2 * max(1, len(compared))))
    found = [_change(one, p, q, z) for one, p, q in zip(compared, raw, adjusted, strict=True)]
    return tuple(
        sorted(
            found,
            key=lambda one: (one.moved == "not_shown", -abs(one.difference), one.code, one.detail),
        )
    )


def fisher_p(first: int, first_n: int, second: int, second_n: int) -> float:
    """Two-sided p of Fisher's exact test; 1 where a side is empty or nothing can differ."""
    from scipy.stats import fisher_exact

    if not first_n or not second_n or first + second in (0, first_n + second_n):
        return 1.0
    table = [[first, first_n - first], [second, second_n - second]]
    return min(1.0, float(fisher_exact(table).pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: rejecting where it is at most α keeps the family-wise error."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def newcombe_interval(
    first: int, first_n: int, second: int, second_n: int, z: float
) -> tuple[float, float]:
    """Interval of second minus first share from both Wilson intervals (Newcombe 1998, no. 10)."""
    if not first_n or not second_n:
        return -1.0, 1.0
    p, q = first / first_n, second / second_n
    low_p, high_p = wilson_interval(first, first_n, z)
    low_q, high_q = wilson_interval(second, second_n, z)
    difference = q - p
    return (
        max(-1.0, difference - math.hypot(q - low_q, high_p - p)),
        min(1.0, difference + math.hypot(high_q - q, p - low_p)),
    )


def _compared(baseline: Tally, current: Tally) -> Iterator[Compared]:
    def pair(kind: Kind, code: str, detail: str = "") -> Compared:
        return Compared(
            kind,
            code,
            detail,
            baseline.distinct_of(code, detail),
            baseline.distinct,
            current.distinct_of(code, detail),
            current.distinct,
        )

    yield pair("any", ANY)
    for one in CLASSES:
        yield pair("class", one.code)
        for detail in one.details:
            yield pair("detail", one.code, detail)
    for code in sorted({*baseline.error_codes, *current.error_codes}):
        yield Compared(
            "error",
            code,
            "",
            baseline.errors_of(code),
            baseline.addresses,
            current.errors_of(code),
            current.addresses,
        )
    before_n, after_n = (side.records + side.dead_letters for side in (baseline, current))
    for code in sorted({*baseline.letter_codes, *current.letter_codes}):
        yield Compared(
            "dead_letter",
            code,
            "",
            baseline.letters_of(code),
            before_n,
            current.letters_of(code),
            after_n,
        )


def _change(one: Compared, p: float, adjusted: float, z: float) -> Change:
    before = one.before / one.before_n if one.before_n else 0.0
    after = one.after / one.after_n if one.after_n else 0.0
    moved: Movement = "not_shown"
    if adjusted <= ALPHA and after != before:
        moved = "up" if after > before else "down"
    return Change(
        kind=one.kind,
        code=one.code,
        detail=one.detail,
        before=before,
        after=after,
        before_count=one.before,
        after_count=one.after,
        difference=after - before,
        interval=newcombe_interval(one.before, one.before_n, one.after, one.after_n, z),
        p=p,
        p_adjusted=adjusted,
        moved=moved,
    )
