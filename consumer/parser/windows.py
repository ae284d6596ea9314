"""Cutting a long token sequence into overlapping windows: pure arithmetic.

Every token counts in exactly one window: the one in which it is further from an edge.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

_OVERLAP: Final = 48
_OVERLAP_SHARE: Final = 0.4


class Span(NamedTuple):
    """Tokens ``start:stop`` go through the model; those in ``first:last`` count.

    All four count tokens of the whole text, special tokens left out.
    """

    start: int
    stop: int
    first: int
    last: int


def plan_windows(tokens: int, capacity: int) -> list[Span]:
    """Windows over ``tokens`` tokens of at most ``capacity`` each, as few as will do.

    Neighbours share at least ``min(48, 0.4 × capacity)`` tokens, evenly spread, so that every
    counted token but those at the ends of the text sees context on both sides.

    Args:
        tokens: tokens of the text, special tokens left out; may be 0.
        capacity: most tokens of one window, special tokens left out; at least 1.
    """
    if tokens <= capacity:
        return [Span(0, tokens, 0, tokens)]
    overlap = min(_OVERLAP, int(capacity * _OVERLAP_SHARE))
    count = -(-(tokens - overlap) // (capacity - overlap))
    last_start = tokens - capacity
    starts = [last_start * index // (count - 1) for index in range(count)]
    # The seam lies in the middle of what two neighbours share.
    seams = [(following + start + capacity + 1) // 2 for start, following in pairwise(starts)]
    return [
        Span(start, start + capacity, first, last)
        for start, first, last in zip(starts, [0, *seams], [*seams, tokens], strict=True)
    ]
