"""Durations as people write them: ``15s``, ``10m``, ``2h``. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PATTERN: Final = r"\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d)"
_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)", re.ASCII)
_LONGEST_S: Final = 100 * 365 * 86400.0
"""A century: longer ones are typing errors, and at some length no ``timedelta`` holds them."""


def parse_seconds(text: str) -> float:
    """The seconds that a duration stands for.

    Raises:
        ValueError: the text is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is no duration; write for example 15s, 10m or 2h")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError(f"{text[:40]!r} is longer than a century")
    return seconds


def format_duration(duration: timedelta) -> str:
    """The shortest text that ``parse_seconds`` reads back as exactly this duration."""
    milliseconds = round(duration.total_seconds() * 1000)
    for unit in ("d", "h", "m", "s"):
        size = round(_UNITS[unit] * 1000)
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def _parse(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return timedelta(seconds=parse_seconds(value))
    raise ValueError("a duration is a text with a unit, for example 15s, 10m or 2h")


Duration = Annotated[
    timedelta,
    BeforeValidator(_parse),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["10m"]}),
]
"""A field that is written as ``10m`` and held as a ``timedelta``."""
