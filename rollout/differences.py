"""Where two JSON documents differ, field by field. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_MOST: Final = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field.

    Attributes:
        field: its path, such as ``policy.gates.exact_match.min``.
        recorded: what stands there.
        recomputed: what should.
        where: what narrows it down; may be empty.
    """

    field: str
    recorded: str
    recomputed: str
    where: str = ""

    def __str__(self) -> str:
        said = f"{self.field}: recorded {self.recorded}, recomputed {self.recomputed}"
        return f"{said} ({self.where})" if self.where else said


def differences(recorded: Any, recomputed: Any, path: str = "") -> Iterator[Difference]:
    """Every leaf that differs, in order of the path; a missing field reads ``nothing``."""
    if isinstance(recorded, Mapping) and isinstance(recomputed, Mapping):
        for key in sorted({*recorded, *recomputed}, key=str):
            below = f"{path}.{key}" if path else str(key)
            if key not in recorded:
                yield Difference(below, "nothing", _shown(recomputed[key]))
            elif key not in recomputed:
                yield Difference(below, _shown(recorded[key]), "nothing")
            else:
                yield from differences(recorded[key], recomputed[key], below)
    elif _is_list(recorded) and _is_list(recomputed):
        if len(recorded) != len(recomputed):
            yield Difference(f"{path} (length)", str(len(recorded)), str(len(recomputed)))
        for number, (one, other) in enumerate(zip(recorded, recomputed, strict=False)):
            yield from differences(one, other, f"{path}[{_named(one, number)}]")
    elif type(recorded) is not type(recomputed) or recorded != recomputed:
        if _is_number(recorded) and _is_number(recomputed) and recorded == recomputed:
            return  # 1 and 1.0 are the same number in JSON
        yield Difference(path, _shown(recorded), _shown(recomputed))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _named(value: Any, number: int) -> str:
    """Gates are spoken of by name: places change."""
    name = value.get("name") if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else str(number)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
