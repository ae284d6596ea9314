"""Exact probabilities of spans and paths under the grammar of BIES tags.

Owns the forward-backward recursion. Pure numpy; must never choose a path.

Only legal paths exist: O, S-x, or B-x I-x* E-x. So the distribution over paths is a chain CRF
whose transitions are the grammar alone, and a span's marginal, the probability over all legal
paths that exactly this span of exactly this type is there, follows from one scaled
forward-backward pass (Rabiner 1989). A product or a mean of single tags' posteriors would
count paths that no decoder can return.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

IMPOSSIBLE: Final = np.float32(-1e30)
"""Score of a tag that can't occur. Finite, so that sums of it stay numbers."""

# A possible tag's posterior is taken as at least this: keeps the scaled recursion from
# underflowing on scores of thousands. It bounds confidence, never the choice of the path.
_FLOOR: Final = np.float32(1e-30)
# Added to states that die out: arithmetic on denormal numbers is a hundred times slower.
_TINY: Final = 1e-200
# No state weighs more than this: what nearly no path leads to can't make infinity of the sums.
_HUGE: Final = 1e200


class Columns(NamedTuple):
    """Tag values by mark: ``outside`` (time, batch); the others (time, batch, types)."""

    outside: NDArray[np.float32]
    begin: NDArray[np.float32]
    inside: NDArray[np.float32]
    end: NDArray[np.float32]
    single: NDArray[np.float32]


class SpanTable(NamedTuple):
    """Spans of a batch, one per position of four equally long arrays."""

    rows: Ints
    starts: Ints
    ends: Ints
    kinds: Ints


def by_mark(tags: NDArray[np.float32]) -> Columns:
    """Views into (time, batch, 1 + 4 types), ordered O, all B, all I, all E, all S."""
    kinds = (tags.shape[2] - 1) // 4
    begin, inside, end, single = (
        tags[:, :, 1 + mark * kinds : 1 + (mark + 1) * kinds] for mark in range(4)
    )
    return Columns(tags[:, :, 0], begin, inside, end, single)


def marginals(
    tags: NDArray[np.float32], spans: SpanTable, temperature: float
) -> tuple[Floats, Floats]:
    """Probability of each span, and of each row's whole path.

    Args:
        tags: shape (time, batch, 1 + 4 types), as ``by_mark`` reads it; padding is scored 0
            for O and IMPOSSIBLE for all else.
        spans: legal and disjoint; a path is its spans and O everywhere else.
        temperature: divides the scores.

    Returns:
        shapes (spans,) and (batch,).
    """
    width, batch, _ = tags.shape
    posterior = tags - tags.max(axis=2, keepdims=True)
    posterior *= np.float32(1.0 / temperature)
    np.exp(posterior, out=posterior)
    posterior /= posterior.sum(axis=2, keepdims=True)
    np.maximum(posterior, _FLOOR, out=posterior, where=tags > IMPOSSIBLE)
    outside, begin, inside, end, single = by_mark(posterior)
    local = outside + single.sum(axis=2)
    states = begin.shape[2]

    forward = np.ones((width + 1, batch))  # at the boundary before token t
    scale = np.empty((width, batch))
    within = np.zeros((batch, states))
    for t in range(width):
        before = forward[t]
        after = before * local[t] + (within * end[t]).sum(axis=1)
        within = before[:, None] * begin[t] + within * inside[t]
        # At the last boundary only paths that end there count.
        total = after + within.sum(axis=1) if t + 1 < width else after
        scale[t] = total
        forward[t + 1] = after / total
        within = within / total[:, None] + _TINY

    backward = np.ones((width + 1, batch))
    beyond = np.zeros((batch, states))  # from being inside after token t
    for t in range(width - 1, -1, -1):
        after, norm = backward[t + 1], scale[t]
        backward[t] = (after * local[t] + (begin[t] * beyond).sum(axis=1)) / norm
        beyond = (end[t] * after[:, None] + inside[t] * beyond) / norm[:, None]
        beyond = np.minimum(beyond, _HUGE) + _TINY

    rows, starts, ends, kinds = spans
    lasts = ends - 1
    zero = np.zeros((1, batch))
    with np.errstate(divide="ignore"):
        log_scale = np.concatenate([zero, np.log(scale).cumsum(axis=0)])
        log_outside = np.concatenate([zero, np.log(outside).cumsum(axis=0)])
        inner = np.log(inside + np.float32(1e-38)).cumsum(axis=0, dtype=np.float64)
        tagged = np.where(
            lasts == starts,
            np.log(single[starts, rows, kinds]),
            np.log(begin[starts, rows, kinds])
            + (inner[np.maximum(lasts - 1, starts), rows, kinds] - inner[starts, rows, kinds])
            + np.log(end[lasts, rows, kinds]),
        )
        around = np.log(forward[starts, rows]) + np.log(backward[ends, rows])
        of_spans = np.exp(tagged - (log_scale[ends, rows] - log_scale[starts, rows]) + around)
    gain = tagged - (log_outside[ends, rows] - log_outside[starts, rows])
    of_paths = np.exp(np.bincount(rows, gain, batch) + log_outside[-1] - log_scale[-1])
    # Rounding may put a sure thing a hair above 1.
    return np.minimum(of_spans, 1.0), np.minimum(of_paths, 1.0)
