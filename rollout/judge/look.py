"""What a judge is told at a cut, beside the outcomes themselves. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.judgement import Accounting


@dataclass(frozen=True, slots=True)
class Look:
    """One look.

    Attributes:
        cut: number of the cut.
        now_ms: time of the cut, milliseconds since 1970.
        elapsed_ms: milliseconds since shadowing began, pauses not counted.
        accounting: every sampled record so far, by kind.
        lag_records: input records that the shadow has not passed yet.
        input_records: input records since the shadow's first offset, passed or not.
        replaying: a replay is under way: its newest input is old by nature, not stale.
        of_the_past: a replay was asked for: the time that its inputs span counts as evidence.
        expired: partitions whose evidence was deleted before it was read.
    """

    cut: int
    now_ms: int
    elapsed_ms: int
    accounting: Accounting
    lag_records: int
    input_records: int
    replaying: bool = False
    of_the_past: bool = False
    expired: tuple[int, ...] = field(default=())
