"""Errors named by their consequence, each with a stable code.

A caller decides by class (retry, dead letter, stop, tell the caller) and reports by
``code``. Messages never contain the text of an address: it is personal data.
"""

from __future__ import annotations

from typing import ClassVar


class MgeoError(Exception):
    """Root of every error that this project raises on purpose.

    Attributes:
        code: stable, lower-case identifier; part of the public interface.
        hint: what a person can do about it, or an empty string.
    """

    default_code: ClassVar[str] = "mgeo_error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.hint = hint


class TransientError(MgeoError):
    """Trying again, later, can succeed: a broker that is away, a full queue."""

    default_code = "transient"


class PermanentError(MgeoError):
    """The input can never succeed: the record goes to the dead-letter topic."""

    default_code = "permanent"


class FatalError(MgeoError):
    """This process must stop. Starting it again is safe: nothing was half committed."""

    default_code = "fatal"


class IllegalTransition(MgeoError):  # noqa: N818  (the field's word for it; "Error" adds nothing)
    """The caller asked for a move that the current state does not allow."""

    default_code = "illegal_transition"


class UsageError(MgeoError):
    """A wrong argument, setting or file: the caller can mend it."""

    default_code = "usage"


class BackendUnreachableError(TransientError):
    """Kafka (or another service this needs) does not answer."""

    default_code = "backend_unreachable"
