"""Reading a small text file of people's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from contracts.errors import UsageError
from rollout.documents.faults import DocumentError, Problem, Where

MAX_BYTES: Final = 256 * 1024


def read_text(path: str | Path, what: str, code: str, *, max_bytes: int = MAX_BYTES) -> str:
    """The text of the file; arguments and errors as those of both functions below."""
    return decoded(read_bytes(path, what, code, max_bytes=max_bytes), path, what, code)


def read_bytes(path: str | Path, what: str, code: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """What is in the file.

    Args:
        path: of the file.
        what: what it is, for messages: ``policy``.
        code: of the errors.
        max_bytes: refuse anything longer.

    Raises:
        UsageError: it is not there, or too large.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(
            f"the {what} file {path} cannot be read: {reason}",
            code=code,
            hint="Paths are relative to the current directory.",
        ) from None
    if len(raw) > max_bytes:
        problem = Problem(Where(str(path)), f"larger than {max_bytes} bytes")
        raise DocumentError(what, [problem], code=code, hint="Is it the right file?")
    return raw


def decoded(raw: bytes, path: str | Path, what: str, code: str) -> str:
    """The text of these bytes: UTF-8, with or without a byte order mark.

    Raises:
        UsageError: not UTF-8, with the place.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        problem = Problem(Where(str(path), line, column), "not UTF-8")
        raise DocumentError(what, [problem], code=code, hint="Save it as UTF-8.") from None
