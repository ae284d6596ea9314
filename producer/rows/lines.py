"""A binary stream as lines of text: bounded, with undecodable bytes kept in their places."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from contracts.errors import UsageError
from producer.rows.model import MAX_LINE_CHARS

_UNDECODABLE = re.compile("[\ud800-\udfff]")
_MARK = 0xDC00
_ORDER_MARK = "\ufeff"
ERRORS = "mgeo-mark-bytes"


def _mark_bytes(error: UnicodeError) -> tuple[str, int]:
    # As surrogateescape, but for bytes below 0x80 too: GB18030 rejects pairs as a whole.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(chr(_MARK + byte) for byte in broken), error.end


codecs.register_error(ERRORS, _mark_bytes)


@dataclass(frozen=True, slots=True)
class Line:
    """One physical line with its line end.

    Attributes:
        number: counted from 1.
        text: as decoded; undecodable bytes are lone surrogates. Cut where ``too_long``.
        fault: ``bad_encoding``, ``nul_byte``, ``line_too_long`` or None.
    """

    number: int
    text: str
    fault: str | None = None


def read_lines(stream: BinaryIO, encoding: str) -> Iterator[Line]:
    """Every line of the stream; ``\\n``, ``\\r\\n`` and a lone ``\\r`` end lines.

    A line that is too long is skipped to its end without being kept. A byte order mark is no
    part of the first line, whether or not the codec knows of it.
    """
    text = io.TextIOWrapper(stream, encoding=encoding, errors=ERRORS, newline="")
    number = 0
    try:
        while line := text.readline(MAX_LINE_CHARS):
            number += 1
            is_cut = len(line) == MAX_LINE_CHARS and line[-1] not in "\r\n"
            if number == 1:
                line = line.removeprefix(_ORDER_MARK)
            if is_cut:
                rest = line
                while rest and rest[-1] not in "\r\n":
                    rest = text.readline(MAX_LINE_CHARS)
                yield Line(number, line[:200], "line_too_long")
            else:
                yield Line(number, line, _fault(line))
    except UnicodeError as error:  # not a decoding error: those are marked in the text
        raise UsageError(
            f"the file is not {encoding}: {error}",
            code="unknown_encoding",
            hint="without a byte order mark say --encoding utf-16-le or utf-16-be",
        ) from None
    finally:
        text.detach()  # closing the stream is its owner's affair


def shown(text: str) -> str:
    """A line for a rejects file: without its line end, undecodable bytes as ``\\xNN``."""
    return _UNDECODABLE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", text.rstrip("\r\n"))


def _fault(line: str) -> str | None:
    if "\0" in line:
        return "nul_byte"
    if _UNDECODABLE.search(line):
        return "bad_encoding"
    return None
