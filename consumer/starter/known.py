"""The fifty known addresses: the last examination of a release, never fitted.

They were written before the trainer and are not edited; ``known_addresses.jsonl`` holds them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

from consumer.starter.generator.pieces import Labelled, Part


@dataclass(frozen=True, slots=True)
class Miss:
    """A known address that was not fully right, and the components that differ."""

    text: str
    expected: tuple[str, ...]
    found: tuple[str, ...]


def known_addresses() -> list[Labelled]:
    """All fifty, in the file's order."""
    content = resources.files("consumer.starter").joinpath("known_addresses.jsonl")
    rows = [json.loads(line) for line in content.read_text(encoding="utf-8").splitlines()]
    return [
        Labelled(
            row["text"], tuple(Part(c["type"], c["start"], c["end"]) for c in row["components"])
        )
        for row in rows
    ]


def misses(labelled: list[Labelled], found: list[list[Part]]) -> list[Miss]:
    """Those not right in every component."""
    out = []
    for address, parts in zip(labelled, found, strict=True):
        expected, got = set(address.parts), set(parts)
        if expected != got:
            out.append(
                Miss(
                    address.text,
                    tuple(
                        _shown(address.text, part) for part in sorted(expected - got, key=_start)
                    ),
                    tuple(
                        _shown(address.text, part) for part in sorted(got - expected, key=_start)
                    ),
                )
            )
    return out


def _start(part: Part) -> int:
    return part.start


def _shown(text: str, part: Part) -> str:
    return f"{part.type} {text[part.start : part.end]}"
