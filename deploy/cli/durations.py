"""Durations and moments as people write them: ``15s``, ``10m``, ``2h``."""

from __future__ import annotations

from datetime import datetime, timedelta

import typer

from contracts.durations import parse_seconds


def seconds(text: str) -> float:
    """The seconds that a duration stands for; ``BadParameter`` when it is none."""
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def moment(text: str, *, now: datetime) -> datetime:
    """A moment written as ISO 8601, or as a duration before now.

    A time without a zone is local time.
    """
    try:
        return now - timedelta(seconds=parse_seconds(text))
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no moment; write for example 2h, or 2026-01-31T08:00:00+08:00"
        ) from None
