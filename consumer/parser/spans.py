"""From tag scores to spans: the best legal BIES path, with calibrated confidence.

Owns the grammar of tags and the search for the best path. Pure numpy; must never see text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumer.parser.marginals import IMPOSSIBLE, SpanTable, by_mark, marginals


class TokenSpan(NamedTuple):
    """One component: half-open token range, and the probability that it is right."""

    type: str
    start: int
    end: int
    confidence: float


class TokenPath(NamedTuple):
    """What was decoded of one sequence.

    ``confidence`` is the probability of the whole path, that is of all spans and all gaps
    together being right; 1.0 for an empty sequence.
    """

    spans: list[TokenSpan]
    confidence: float


class BiesDecoder:
    """Decodes tag scores under any label map: a tag that the map lacks can't occur.

    The decoded path is the most probable legal one (Viterbi). A span's ``confidence`` is its
    exact marginal over all legal paths at the calibration temperature; see
    ``consumer.parser.marginals``.

    Args:
        id2label: label of each score column: ``O``, or one of ``B- I- E- S-`` and a type.
        temperature: divides the scores before confidence is computed; fitted per model.

    Raises:
        ValueError: the ids aren't 0..n-1, there is no ``O``, a label is of another form, or the
            temperature isn't positive.
    """

    def __init__(self, id2label: Mapping[int, str], temperature: float = 1.0) -> None:
        if sorted(id2label) != list(range(len(id2label))):
            raise ValueError("label ids must be 0..n-1 without gaps")
        if not temperature > 0:
            raise ValueError("temperature must be above 0")
        column: dict[tuple[str, str], int] = {}
        for index, label in id2label.items():
            mark, _, kind = label.partition("-")
            well_formed = label == "O" or (mark in ("B", "I", "E", "S") and kind != "")
            if not well_formed or (mark, kind) in column:
                raise ValueError(f"label {index} is not a BIES label, or is there twice: {label!r}")
            column[mark, kind] = index
        if ("O", "") not in column:
            raise ValueError("the label map has no O: text outside components needs a tag")
        pairs = {kind for mark, kind in column if mark == "B" and ("E", kind) in column}
        # A type of which no span can be built is left out: its tags can't occur.
        self._types: Final = sorted(pairs | {kind for mark, kind in column if mark == "S"})
        self._labels: Final = len(id2label)
        self._temperature: Final = temperature
        wanted = [("O", ""), *((mark, kind) for mark in "BIES" for kind in self._types)]
        usable = [place in column and (place[0] in "OS" or place[1] in pairs) for place in wanted]
        self._gather: Final = np.array([column.get(place, 0) for place in wanted])
        self._absent: Final = np.flatnonzero(~np.array(usable))

    @property
    def types(self) -> tuple[str, ...]:
        """The component types that can come out, sorted."""
        return tuple(self._types)

    def decode(
        self, scores: NDArray[np.float32], lengths: NDArray[np.int64] | Sequence[int] | None = None
    ) -> list[list[TokenSpan]]:
        """The spans of the best legal path of each sequence, in reading order.

        Args:
            scores: shape (length, labels) for one sequence, or (batch, max_len, labels).
            lengths: shape (batch,): real tokens per row; default: all of them.

        Raises:
            ValueError: shapes don't fit the label map, or a score that counts isn't finite.
        """
        return [path.spans for path in self.decode_paths(scores, lengths)]

    def decode_paths(
        self, scores: NDArray[np.float32], lengths: NDArray[np.int64] | Sequence[int] | None = None
    ) -> list[TokenPath]:
        """As ``decode``, with the probability of each whole path."""
        if scores.ndim == 2:
            scores = scores[None]
        if scores.ndim != 3 or scores.shape[2] != self._labels:
            raise ValueError(f"scores {scores.shape}: expected (batch, tokens, {self._labels})")
        batch, longest, _ = scores.shape
        counts = np.full(batch, longest) if lengths is None else np.asarray(lengths)
        if counts.shape != (batch,) or ((counts < 0) | (counts > longest)).any():
            raise ValueError("lengths must be one number of tokens per row of scores")
        width = int(counts.max(initial=0))
        if width == 0:
            return [TokenPath([], 1.0) for _ in range(batch)]
        # Time first: each step of the recursions then reads one contiguous block. Few large
        # temporaries: fresh pages cost more than the arithmetic on them.
        real = np.arange(width)[:, None] < counts
        by_time = scores[:, :width].transpose(1, 0, 2)
        tags = np.take(by_time, self._gather, axis=2).astype(np.float32, copy=False)
        tags[:, :, self._absent] = IMPOSSIBLE
        if not real.all():
            # Padding is a run of O that costs nothing and that no span may enter.
            tags[~real] = IMPOSSIBLE
            tags[~real, 0] = 0.0
        if not np.isfinite(tags).all():
            raise ValueError("scores must be finite: the model's output is broken")

        spans = _best_path(tags, counts)
        of_spans, of_paths = marginals(tags, spans, self._temperature)
        paths = [TokenPath([], confidence) for confidence in of_paths.tolist()]
        names = self._types
        for row, start, end, kind, confidence in zip(
            *(column.tolist() for column in spans), of_spans.tolist(), strict=True
        ):
            paths[row].spans.append(TokenSpan(names[kind], start, end, confidence))
        return paths


def _best_path(tags: NDArray[np.float32], counts: NDArray[np.int64]) -> SpanTable:
    """Viterbi over (time, batch, tags); spans ordered by row, then start."""
    width, batch, _ = tags.shape
    outside, begin, inside, end, single = by_mark(tags)
    if begin.shape[2] == 0:
        return _table([])
    rows = np.arange(batch)
    single_kind = single.argmax(axis=2)
    single_best = np.take_along_axis(single, single_kind[:, :, None], axis=2)[:, :, 0]
    local = np.maximum(outside, single_best)

    # Scores are kept relative to the boundary's, so float32 stays exact over long texts.
    within = np.full(begin.shape[1:], IMPOSSIBLE)
    started = np.empty(begin.shape, dtype=np.bool_)  # the best way to be inside: begun here
    ended = np.empty((width, batch), dtype=np.int64)  # type of the span that ends here, or -1
    for t in range(width):
        ending = within + end[t]
        kind = ending.argmax(axis=1)
        value = ending[rows, kind]
        closed = np.maximum(value, local[t])
        ended[t] = np.where(value > local[t], kind, -1)
        going = within + inside[t]
        started[t] = begin[t] >= going
        within = np.maximum(begin[t], going) - closed[:, None]

    alone = (single_best > outside).T.tolist()
    ended_by, single_by = ended.T.tolist(), single_kind.T.tolist()
    found: list[tuple[int, int, int, int]] = []
    for row, count in enumerate(counts.tolist()):
        mine: list[tuple[int, int, int, int]] = []
        last = count - 1
        while last >= 0:
            kind = ended_by[row][last]
            first = last
            if kind >= 0:
                first -= 1
                while not started[first, row, kind]:
                    first -= 1
                mine.append((row, first, last + 1, kind))
            elif alone[row][last]:
                mine.append((row, last, last + 1, single_by[row][last]))
            last = first - 1
        found.extend(reversed(mine))
    return _table(found)


def _table(found: list[tuple[int, int, int, int]]) -> SpanTable:
    columns = np.array(found, dtype=np.int64).reshape(-1, 4).T
    return SpanTable(*(np.ascontiguousarray(column) for column in columns))
