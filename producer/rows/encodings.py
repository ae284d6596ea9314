"""Finding out how the bytes of a text file are encoded. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

from contracts.errors import UsageError

SAMPLE_BYTES: Final = 256 * 1024

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with UTF-16's mark
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)

_CANDIDATES: Final = ("gb18030", "big5hkscs", "shift_jis", "euc_kr", "cp1252")
# Lead bytes of GB2312's first level: the 3,755 hanzi that make up nearly all written Chinese.
_COMMON_HANZI = re.compile(rb"[\xb0-\xd7][\xa1-\xfe]")
_COMMON_SHARE = 0.6


def detect_encoding(sample: bytes) -> str:
    """The Python codec for text that begins with, or contains, these bytes.

    Byte order marks are believed; then UTF-8, which other encodings hardly ever look like;
    then UTF-16 by its zero bytes; then statistics. GBK and GB2312 are read as GB18030, which
    contains both.

    Raises:
        UsageError: ``unknown_encoding``.
    """
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if _is_utf8(sample):
        return "utf-8"
    if wide := _utf16_without_mark(sample):
        return wide
    if _is_mostly_common_hanzi(sample):
        return "gb18030"
    best = from_bytes(sample[:SAMPLE_BYTES], cp_isolation=list(_CANDIDATES)).best()
    if best is None:
        raise UsageError(
            "the encoding of the file cannot be detected",
            code="unknown_encoding",
            hint="say it with --encoding, for example --encoding gb18030 or --encoding utf-8",
        )
    return best.encoding


def check_encoding(name: str) -> str:
    """The codec that a person named.

    Raises:
        UsageError: ``unknown_encoding``.
    """
    try:
        canonical = codecs.lookup(name).name
        "".encode(canonical)  # refuses codecs that are no text encodings
    except (LookupError, TypeError):
        raise UsageError(
            f"{name[:40]!r} is no text encoding",
            code="unknown_encoding",
            hint="for example utf-8, gb18030, gbk, utf-16, big5",
        ) from None
    if canonical in ("gbk", "gb2312"):
        return "gb18030"
    return "utf-8-sig" if canonical == "utf-8" else canonical


def _is_utf8(sample: bytes) -> bool:
    if b"\0" in sample:
        return False
    try:
        # Not final: the sample may end within a character.
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        # A few broken lines do not make a file another encoding.
        lines = [line for line in sample.splitlines()[:-1] if not line.isascii()]
        damaged = sum(not _decodes(line) for line in lines)
        return damaged * 20 < len(lines)
    return True


def _decodes(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _utf16_without_mark(sample: bytes) -> str | None:
    # ASCII (digits, commas, line ends) in UTF-16 has its zero bytes all on one side.
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < max(1, len(sample) // 200) or max(even, odd) < 10 * min(even, odd):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _is_mostly_common_hanzi(sample: bytes) -> bool:
    high = sum(1 for byte in sample if byte >= 0x80)
    return high > 0 and 2 * len(_COMMON_HANZI.findall(sample)) >= _COMMON_SHARE * high
