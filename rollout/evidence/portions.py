"""How much of the evidence one cut takes in, so that a long catch-up needs little memory. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.rollout import Offsets

RECORDS_MAX: Final = 10_000
"""Records of one evidence topic in one cut, at most."""

RECORDS_MIN: Final = 100
"""However large the records and however small the sample: fewer are not worth a cut."""

ADDRESSES_MAX: Final = 200_000
"""Addresses in one cut, about: decoded they take 200 to 300 bytes each."""

ADDRESSES_UNKNOWN: Final = 400
"""Addresses that a record is taken to have before any was seen; 1,000 is the most by default."""

OFFSETS_MAX: Final = 200_000
"""Input offsets that one cut passes, about: each is hashed to know whether the sample holds it."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What one cut takes in.

    Attributes:
        ends: of the topic, by partition.
        committed: input offsets that the shadow has passed, by partition.
        cut_short: partitions whose end is not the end that the topic has.
        shortened: whether anything was left for the next cut.
    """

    ends: Offsets
    committed: Offsets
    cut_short: tuple[int, ...]
    shortened: bool


def portion_of(
    ends: Mapping[int, int],
    positions: Mapping[int, int],
    share: float,
    committed: Mapping[int, int] | None = None,
    *,
    addresses_per_record: float | None = None,
) -> Portion:
    """As much as one cut may take, evenly over the partitions that have something new.

    Args:
        ends: of the topic.
        positions: what was read already.
        share: of the sample: the smaller it is, the more input stands behind each record.
        committed: the shadow's commits.
        addresses_per_record: as seen so far; None before any was.
    """
    fresh = [p for p, end in ends.items() if end > positions.get(p, 0)]
    size = ADDRESSES_UNKNOWN if addresses_per_record is None else max(1.0, addresses_per_record)
    budget = int(min(RECORDS_MAX, OFFSETS_MAX * share, ADDRESSES_MAX / size))
    budget = max(RECORDS_MIN, budget)
    each = max(1, budget // max(1, len(fresh)))
    taken = {p: min(end, positions.get(p, 0) + each) for p, end in ends.items()}
    cut_short = tuple(p for p in fresh if taken[p] < ends[p])
    return Portion(taken, dict(committed or {}), cut_short, bool(cut_short))
