"""What both models do on the shadow's device batches, over the last moments. Pure.

For people who watch: gates are judged elsewhere, on everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.events import ShadowPair

_MOST_BATCHES = 400
"""So many of the newest batches make the figures: they follow a change within moments."""


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model on the newest device batches.

    Attributes:
        batches: how many the figures rest on.
        rows_per_s: token sequences per second of device time.
        p50_ms: median time of a batch, milliseconds.
        p99_ms: 99th percentile of it.
        recent_ms: the newest times, oldest first, for drawing.
    """

    batches: int
    rows_per_s: float
    p50_ms: float
    p99_ms: float
    recent_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TrafficFigures:
    """Both models on the same batches."""

    candidate: ModelFigures
    reference: ModelFigures


class Traffic:
    """Collects device batches, each id once; bounded."""

    def __init__(self) -> None:
        self._batches: deque[tuple[str, int, float, float]] = deque(maxlen=_MOST_BATCHES)
        self._known: set[str] = set()

    def take(self, pair: ShadowPair) -> None:
        """One more pair; many share a batch."""
        batch = pair.batch
        if batch is None or batch.id in self._known:
            return
        if len(self._batches) == self._batches.maxlen:
            self._known.discard(self._batches[0][0])
        self._known.add(batch.id)
        self._batches.append(
            (batch.id, batch.rows, pair.candidate.device_ms, pair.reference.device_ms)
        )

    @property
    def figures(self) -> TrafficFigures | None:
        """The figures; None before the first batch."""
        if not self._batches:
            return None
        rows = [batch[1] for batch in self._batches]
        return TrafficFigures(
            candidate=_figures(rows, [batch[2] for batch in self._batches]),
            reference=_figures(rows, [batch[3] for batch in self._batches]),
        )


def _figures(rows: Sequence[int], times_ms: Sequence[float]) -> ModelFigures:
    ordered = sorted(times_ms)
    total_ms = sum(times_ms)
    return ModelFigures(
        batches=len(times_ms),
        rows_per_s=sum(rows) / total_ms * 1000 if total_ms else 0.0,
        p50_ms=_rank(ordered, 0.5),
        p99_ms=_rank(ordered, 0.99),
        recent_ms=tuple(times_ms[-40:]),
    )


def _rank(ordered: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that this share of all values does not exceed."""
    index = max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)
    return ordered[min(index, len(ordered) - 1)]
