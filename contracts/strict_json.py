"""Reading JSON that strangers wrote, without surprises.

Standard JSON readers keep the last of duplicate keys, accept NaN and Infinity, turn 1e400
into infinity, let lone surrogates through (they fail later, when encoded) and can be driven
into deep recursion. Here each of these is an error with a code. No message holds the input.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from contracts.errors import PermanentError

MAX_DEPTH: Final = 64
"""Objects and lists inside one another. Far below the interpreter's own limit, which depends
on how deep the caller already is: the same bytes must be judged the same on every attempt."""

MAX_INTEGER_DIGITS: Final = 308
"""As large as a double can be, so that 1e400 and the same written out get the same answer,
whatever limit this interpreter has for integers."""

_BYTE_ORDER_MARK = "\ufeff"
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(raw: bytes, *, max_bytes: int, allow_lone_surrogates: bool = False) -> Any:
    """Decode one JSON document.

    Args:
        raw: UTF-8 bytes, without a byte order mark.
        max_bytes: refuse anything longer before looking at it.
        allow_lone_surrogates: leave halves of surrogate pairs in texts, for a caller that
            checks each text with ``is_encodable`` and can blame a part of the document.

    Raises:
        PermanentError: with code ``record_too_large``, ``not_utf8``, ``not_json``,
            ``duplicate_key``, ``bad_number``, ``lone_surrogate`` or ``too_deep``.
    """
    if len(raw) > max_bytes:
        raise PermanentError(
            f"the record has {len(raw)} bytes, the limit is {max_bytes}", code="record_too_large"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PermanentError(f"not UTF-8 at byte {error.start}", code="not_utf8") from None
    document = _decode(text)
    _check_depth(document)
    # Only an escape can bring a surrogate in: UTF-8 itself has none.
    if (
        not allow_lone_surrogates
        and _SURROGATE_ESCAPE.search(text)
        and not is_encodable(json.dumps(document, ensure_ascii=False))
    ):
        raise PermanentError("a text has half of a surrogate pair", code="lone_surrogate")
    return document


def is_encodable(text: str) -> bool:
    """False when the text holds half of a surrogate pair, which no encoding can carry."""
    return _SURROGATE.search(text) is None


def _decode(text: str) -> Any:
    if text.startswith(_BYTE_ORDER_MARK):
        raise PermanentError(
            "not JSON at character 0: it begins with a byte order mark",
            code="not_json",
            hint="write UTF-8 without a byte order mark",
        )
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        # error.msg is a fixed phrase of the parser; error.doc would hold the input.
        raise PermanentError(
            f"not JSON at character {error.pos}: {error.msg}", code="not_json"
        ) from None
    except RecursionError:
        raise _too_deep() from None


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        if not inner:
            return
        level = inner
    if any(isinstance(value, (dict, list)) for value in level):
        raise _too_deep()


def _too_deep() -> PermanentError:
    return PermanentError(f"the JSON is nested deeper than {MAX_DEPTH}", code="too_deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise PermanentError("an object names the same key twice", code="duplicate_key")
    return result


def _constant(_: str) -> NoReturn:
    raise PermanentError("NaN and Infinity are not JSON", code="bad_number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise PermanentError("a number is out of range", code="bad_number")
    return value


def _integer(text: str) -> int:
    if len(text.removeprefix("-")) > MAX_INTEGER_DIGITS:
        raise PermanentError("a number is out of range", code="bad_number")
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_float=_number,
    parse_int=_integer,
)
