"""Durations and moments as people write them: ``15s``, ``10m``, ``2h``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import typer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def seconds(text: str) -> float:
    """The seconds that a duration stands for."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration; write for example 15s, 10m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def moment(text: str, *, now: datetime) -> datetime:
    """A moment written as ISO 8601, or as a duration before now.

    A time without a zone is local time.
    """
    if _DURATION.fullmatch(text.strip()):
        return now - timedelta(seconds=seconds(text))
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no moment; write for example 2h, or 2026-01-31T08:00:00+08:00"
        ) from None
