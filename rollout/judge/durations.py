"""Durations of a policy as whole milliseconds."""

from __future__ import annotations

from datetime import timedelta


def milliseconds(duration: timedelta) -> int:
    """A duration in milliseconds."""
    return round(duration / timedelta(milliseconds=1))
