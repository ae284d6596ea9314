"""What a layout of an address is, and how often it is used."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.pieces import Pieces

Near = tuple[str, ...]
Body = Callable[[random.Random, Lexicon, Near], Pieces]


@dataclass(frozen=True, slots=True)
class Family:
    """One way to lay out an address below the town.

    Attributes:
        name: for people.
        weight: its share among the layouts of a release.
        make: (rng, lexicon, names nearby) to pieces.
        since: the release whose data first has it.
        held_out: never fitted, only judged by.
    """

    name: str
    weight: float
    make: Body
    since: int = 1
    held_out: bool = False


def perhaps(rng: random.Random, chance: float, pieces: Pieces) -> Pieces:
    """The pieces, or none."""
    return pieces if rng.random() < chance else []
