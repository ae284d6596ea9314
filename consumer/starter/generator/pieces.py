"""What the generator hands around: pieces of text with their component type, and their sum."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar


class Piece(NamedTuple):
    """Some text, and the component that it is; ``None`` for what belongs to none."""

    type: str | None
    text: str


class Part(NamedTuple):
    """One component of an address: ``text[start:end]``, in code points."""

    type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Labelled:
    """An address and the components that it is made of, in reading order."""

    text: str
    parts: tuple[Part, ...]


Pieces = list[Piece]
T = TypeVar("T")
Make = Callable[[random.Random], str]


def assemble(pieces: Iterable[Piece]) -> Labelled:
    """Join the pieces; empty ones vanish."""
    text = ""
    parts: list[Part] = []
    for kind, piece in pieces:
        if not piece:
            continue
        start = len(text)
        text += piece
        if kind is not None:
            parts.append(Part(kind, start, len(text)))
    return Labelled(text, tuple(parts))


class Weighted(Generic[T]):
    """A choice among values by weight, prepared once."""

    __slots__ = ("_cumulative", "_values")

    def __init__(self, choices: Iterable[tuple[T, float]]) -> None:
        self._values: list[T] = []
        self._cumulative: list[float] = []
        total = 0.0
        for value, weight in choices:
            total += weight
            self._values.append(value)
            self._cumulative.append(total)

    def __call__(self, rng: random.Random) -> T:
        """One value."""
        return rng.choices(self._values, cum_weights=self._cumulative)[0]
