"""Addresses whose components are known, and how many of them a model gets right. Pure rules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.components import COMPONENT_TYPES
from contracts.errors import UsageError

KNOWN_ADDRESSES: Final = (
    Path(__file__).resolve().parent.parent / "starter" / "known_addresses.jsonl"
)
"""Those that come with the package: written before any model was fitted."""

Span = tuple[str, int, int]
"""Type, first code point, one past the last."""


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """One address and every component in it."""

    text: str
    spans: frozenset[Span]


@dataclass(frozen=True, slots=True)
class TypeCount:
    """One component type over all addresses."""

    type: str
    right: int
    expected: int
    said: int
    """How many the model named, rightly or not."""


@dataclass(frozen=True, slots=True)
class KnownReport:
    """What a model made of the known addresses."""

    addresses: int
    whole: int
    """Addresses with every component right and none too many."""
    types: tuple[TypeCount, ...]
    """In the order in which an address usually has them; those that occur."""
    unknown_types: tuple[str, ...]
    """Types that the model has no label for: left out of all counts."""
    misses: tuple[int, ...]
    """Lines of the addresses that are not whole, from 1."""

    @property
    def right_share(self) -> float:
        """Of the expected components; 1.0 where none is expected."""
        expected = sum(count.expected for count in self.types)
        return sum(count.right for count in self.types) / expected if expected else 1.0


def read_known(path: Path) -> list[KnownAddress]:
    """Read ``{"text": …, "components": [{"type", "start", "end", "text"}]}``, one per line.

    Raises:
        UsageError: ``bad_known_addresses``, with the line's number, never its text.
    """
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path, f"it cannot be read ({type(error).__name__})") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: dict[str, Any] = json.loads(line)
            text: str = row["text"]
            spans = frozenset(
                (c["type"], int(c["start"]), int(c["end"])) for c in row["components"]
            )
            sound = all(
                text[c["start"] : c["end"]] == c["text"] and c["type"] in COMPONENT_TYPES
                for c in row["components"]
            )
        except (ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            raise _bad(path, f"line {number} is no address with its components")
        found.append(KnownAddress(text, spans))
    if not found:
        raise _bad(path, "it holds no address")
    return found


def judge(
    known: Sequence[KnownAddress], said: Sequence[Iterable[Span]], types: Iterable[str]
) -> KnownReport:
    """Compare what a model said, address by address, with what is known.

    Args:
        known: the addresses.
        said: the spans the model named in each.
        types: the component types the model has labels for. Spans of other types, and what
            the model said in their place, count neither for nor against it.
    """
    can = frozenset(types)
    right: Counter[str] = Counter()
    expected: Counter[str] = Counter()
    named: Counter[str] = Counter()
    misses = []
    for number, (address, spans) in enumerate(zip(known, said, strict=True), 1):
        beyond = [span for span in address.spans if span[0] not in can]
        want = {span for span in address.spans if span[0] in can}
        got = {span for span in spans if not any(_overlap(span, other) for other in beyond)}
        right.update(kind for kind, _, _ in want & got)
        expected.update(kind for kind, _, _ in want)
        named.update(kind for kind, _, _ in got)
        if want != got:
            misses.append(number)
    occurring = {kind for address in known for kind, _, _ in address.spans}
    return KnownReport(
        addresses=len(known),
        whole=len(known) - len(misses),
        types=tuple(
            TypeCount(kind, right[kind], expected[kind], named[kind])
            for kind in COMPONENT_TYPES
            if expected[kind] or named[kind]
        ),
        unknown_types=tuple(kind for kind in COMPONENT_TYPES if kind in occurring - can),
        misses=tuple(misses),
    )


def _overlap(one: Span, other: Span) -> bool:
    return one[1] < other[2] and other[1] < one[2]


def _bad(path: Path, problem: str) -> UsageError:
    return UsageError(
        f"{path} cannot be used: {problem}",
        code="bad_known_addresses",
        hint='write {"text": "…", "components": [{"type", "start", "end", "text"}]} per line',
    )
