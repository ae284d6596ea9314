"""What one check found. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a thing is."""

    OK = "ok"
    BROKEN = "broken"
    """Needed, and missing or wrong: `mgeo doctor` leaves with 1."""
    ABSENT = "absent"
    """Not there, and not needed by everyone."""

    @property
    def mark(self) -> str:
        return {Status.OK: "✓", Status.BROKEN: "✗", Status.ABSENT: "–"}[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's table; `hint` says how to mend it."""

    name: str
    status: Status
    found: str
    hint: str = ""


def ok(name: str, found: str) -> Finding:
    return Finding(name, Status.OK, found)


def broken(name: str, found: str, hint: str) -> Finding:
    return Finding(name, Status.BROKEN, found, hint)


def absent(name: str, found: str, hint: str = "") -> Finding:
    return Finding(name, Status.ABSENT, found, hint)
