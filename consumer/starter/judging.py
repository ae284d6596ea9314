"""How good a model is on labelled addresses: strict spans, and whether confidence is honest.

Owns the figures and the temperature's fit. Pure numpy; must never see a network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consumer.parser.spans import BiesDecoder
from consumer.starter.generator.pieces import Labelled, Part
from consumer.starter.tags import LABELS
from contracts.components import COMPONENT_TYPES, CORE_TYPES

_BATCH: Final = 64
_TEMPERATURES: Final = tuple(round(0.6 + 0.05 * step, 2) for step in range(49))


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A labelled address and what a model said: scores (tokens, labels), token offsets."""

    address: Labelled
    scores: NDArray[np.float32]
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """One predicted component with its confidence, and whether it is exactly right."""

    part: Part
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Strict matches: same type, same start, same end."""

    right: int
    guessed: int
    labelled: int

    @property
    def precision(self) -> float:
        """Share of the guesses that are right."""
        return self.right / self.guessed if self.guessed else 0.0

    @property
    def recall(self) -> float:
        """Share of the labelled that were found."""
        return self.right / self.labelled if self.labelled else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.guessed + self.labelled
        return 2 * self.right / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Guesses of like confidence: their number, mean confidence and share of right ones."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def guesses(scored: Sequence[Scored], temperature: float = 1.0) -> list[list[Guess]]:
    """The decoded components of each address."""
    decoder = BiesDecoder(dict(enumerate(LABELS)), temperature)
    out: list[list[Guess]] = []
    for at in range(0, len(scored), _BATCH):
        group = scored[at : at + _BATCH]
        longest = max(len(item.scores) for item in group)
        padded = np.zeros((len(group), longest, len(LABELS)), dtype=np.float32)
        for row, item in enumerate(group):
            padded[row, : len(item.scores)] = item.scores
        lengths = [len(item.scores) for item in group]
        for item, spans in zip(group, decoder.decode(padded, lengths), strict=True):
            wanted = set(item.address.parts)
            found = []
            for span in spans:
                start, end = item.offsets[span.start][0], item.offsets[span.end - 1][1]
                part = Part(span.type, start, end)
                found.append(Guess(part, span.confidence, part in wanted))
            out.append(found)
    return out


def figures(scored: Sequence[Scored], found: Sequence[Sequence[Guess]]) -> dict[str, Figures]:
    """Figures of each component type, and of ``all`` and ``core`` together."""
    right: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    for item, parts in zip(scored, found, strict=True):
        for guess in parts:
            guessed[guess.part.type] += 1
            right[guess.part.type] += guess.right
        for part in item.address.parts:
            labelled[part.type] += 1
    groups = {
        "all": COMPONENT_TYPES,
        "core": CORE_TYPES,
        **{kind: (kind,) for kind in COMPONENT_TYPES},
    }
    return {
        name: Figures(
            sum(right[kind] for kind in kinds),
            sum(guessed[kind] for kind in kinds),
            sum(labelled[kind] for kind in kinds),
        )
        for name, kinds in groups.items()
    }


def reliability(found: Sequence[Sequence[Guess]], bins: int = 10) -> list[Bin]:
    """Guesses sorted into bins of confidence of equal width."""
    flat = [guess for parts in found for guess in parts]
    confidence = np.array([guess.confidence for guess in flat])
    right = np.array([guess.right for guess in flat], dtype=np.float64)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    table = []
    for number in range(bins):
        inside = index == number
        count = int(inside.sum())
        table.append(
            Bin(
                number / bins,
                (number + 1) / bins,
                count,
                float(confidence[inside].mean()) if count else 0.0,
                float(right[inside].mean()) if count else 0.0,
            )
        )
    return table


def expected_calibration_error(table: Sequence[Bin]) -> float:
    """Mean distance of confidence and accuracy, by the bins' counts (Naeini et al. 2015)."""
    total = sum(row.count for row in table)
    return sum(row.count * abs(row.confidence - row.accuracy) for row in table) / max(1, total)


def fit_temperature(scored: Sequence[Scored]) -> float:
    """The temperature under which the spans' confidences explain best which are right.

    Negative log-likelihood of right and wrong, over a grid (Guo et al. 2017, on spans).
    """

    def loss(temperature: float) -> float:
        flat = [guess for parts in guesses(scored, temperature) for guess in parts]
        confidence = np.clip([guess.confidence for guess in flat], 1e-6, 1 - 1e-6)
        right = np.array([guess.right for guess in flat])
        return float(-np.log(np.where(right, confidence, 1 - confidence)).mean())

    return min(_TEMPERATURES, key=loss)
