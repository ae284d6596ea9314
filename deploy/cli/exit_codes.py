"""What `mgeo` leaves with. Scripts rely on these numbers."""

from __future__ import annotations

from contracts.errors import BackendUnreachableError, MgeoError, UsageError

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 6
UNEXPECTED = 70
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
READER_GONE = 141
"""128 + SIGPIPE: the program that read our output has left."""


def of(error: MgeoError) -> int:
    """The exit code that belongs to one of our errors."""
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, BackendUnreachableError):
        return UNREACHABLE
    return FAILED
