"""Remembers what texts were parsed to, so that repeats cost nothing. Bounded.

The key holds the spec: another model never answers for this one. Answers are kept packed: as
objects, one of twenty characters takes seven kilobytes.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from consumer.parser.seams import Interpretation
from contracts.events import Component

Answers = tuple[Interpretation, ...]
"""One interpretation for each side."""


_UNITS_OF_AN_ENTRY = 4
_UNITS_OF_A_SIDE = 8
"""What an entry takes whatever its text, in code points' worth: a text of two characters takes
800 bytes. Measured, and held by ``tests/unit/stream/test_cache.py``."""


class InterpretationCache:
    """Least-recently-used, bounded by what its texts are charged.

    Args:
        max_chars: total charge of the remembered texts; 0 switches it off. A text is charged its
            code points, 4 more, and 8 more for each side. Memory is at most about 60 bytes for
            each of these, for the components of each text are kept too.
    """

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._chars = 0
        self._entries: OrderedDict[tuple[Hashable, str], tuple[_Packed, ...]] = OrderedDict()
        self._newest: Hashable = None  # entries of one model share one key, not equal copies of it

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, model: Hashable, text: str) -> Answers | None:
        """What this model made of this text before, if it is remembered."""
        found = self._entries.get((model, text))
        if found is None:
            return None
        self._entries.move_to_end((model, text))
        return tuple(_unpacked(text, packed) for packed in found)

    def put(self, model: Hashable, text: str, answers: Answers) -> None:
        """Remember; the least recently used texts make room."""
        charge = _charge(text, len(answers))
        if charge > self._max_chars or (model, text) in self._entries:
            return
        if model != self._newest:
            self._newest = model
        self._entries[self._newest, text] = tuple(_packed(answer) for answer in answers)
        self._chars += charge
        while self._chars > self._max_chars:
            (_, old), sides = self._entries.popitem(last=False)
            self._chars -= _charge(old, len(sides))


def _charge(text: str, sides: int) -> int:
    return len(text) + _UNITS_OF_AN_ENTRY + _UNITS_OF_A_SIDE * sides


class _Packed(NamedTuple):
    types: tuple[str, ...]
    places: tuple[int, ...]
    """Start and end of each component in turn."""
    confidences: tuple[float, ...]
    address: tuple[str | int, ...]
    """Key and value in turn; a value that is a component's text is that component's number."""
    inferred: tuple[str, ...]
    adcode: str | None
    issues: tuple[str, ...]
    confidence: float


_NONE: tuple[str, ...] = ()


def _packed(answer: Interpretation) -> _Packed:
    parts = answer.components
    numbers: dict[str, int] = {}
    for number, part in enumerate(parts):
        numbers.setdefault(part.text, number)
    address: list[str | int] = []
    for key, value in answer.address.items():
        address += (sys.intern(key), numbers.get(value, value))
    return _Packed(
        tuple(sys.intern(part.type) for part in parts),
        tuple(place for part in parts for place in (part.start, part.end)),
        tuple(part.confidence for part in parts),
        tuple(address),
        tuple(map(sys.intern, answer.inferred)) or _NONE,
        answer.adcode,
        tuple(map(sys.intern, answer.issues)) or _NONE,
        answer.confidence,
    )


def _unpacked(text: str, packed: _Packed) -> Interpretation:
    places = iter(packed.places)
    components = tuple(
        Component(type=kind, text=text[start:end], start=start, end=end, confidence=confidence)
        for kind, start, end, confidence in zip(
            packed.types, places, places, packed.confidences, strict=True
        )
    )
    pairs = iter(packed.address)
    address = {
        str(key): components[value].text if isinstance(value, int) else value
        for key, value in zip(pairs, pairs, strict=True)
    }
    return Interpretation(
        components, address, packed.inferred, packed.adcode, packed.issues, packed.confidence
    )
