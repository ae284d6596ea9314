"""What each release of the starter models is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True)
class Shape:
    """The network's dimensions; heads divide ``hidden``."""

    layers: int = 3
    hidden: int = 256
    heads: int = 4
    intermediate: int = 1024
    positions: int = 256


@dataclass(frozen=True, slots=True)
class Recipe:
    """One release: its data and how it is fitted.

    Attributes:
        version: ``<base>-<finetune>-<yyyymmdd>``.
        day: when the release came out.
        data_release: the month of the generator: the second has more layouts.
        samples: addresses fitted, each once.
        base: the release that it is trained on from; None starts from random weights.
        learning_rate: the highest, reached after ``warm_up`` steps, held until ``flat`` of all
            steps, then falling to 0 in a straight line.
    """

    version: str
    day: date
    data_release: int
    samples: int
    seed: int
    learning_rate: float
    base: str | None = None
    batch: int = 64
    warm_up: int = 200
    flat: float = 0.35
    weight_decay: float = 0.01
    dropout: float = 0.1
    clip: float = 1.0
    max_tokens: int = 128
    shape: Shape = Shape()

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return -(-self.samples // self.batch)


FIRST: Final = Recipe(
    version="mgeo-starter-v1-20260915",
    day=date(2026, 9, 15),
    data_release=1,
    samples=40_000,
    seed=20260915,
    warm_up=125,
    learning_rate=1e-3,
)
SECOND: Final = Recipe(
    version="mgeo-starter-v2-20261015",
    day=date(2026, 10, 15),
    data_release=2,
    samples=120_000,
    seed=20261015,
    learning_rate=1e-3,
    base=FIRST.version,
)
RECIPES: Final = (FIRST, SECOND)
