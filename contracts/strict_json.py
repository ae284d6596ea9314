"""Reading JSON that strangers wrote, without surprises.

Standard JSON readers keep the last of duplicate keys, accept NaN and Infinity, turn 1e400
into infinity, let lone surrogates through (they fail later, when encoded) and can be driven
into deep recursion. Here each of these is an error with a code.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from contracts.errors import PermanentError


def read_json(raw: bytes, *, max_bytes: int) -> Any:
    """Decode one JSON document.

    Args:
        raw: UTF-8 bytes, without a byte order mark.
        max_bytes: refuse anything longer before looking at it.

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
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        # error.msg is a fixed phrase of the parser; error.doc would hold the input.
        raise PermanentError(
            f"not JSON at character {error.pos}: {error.msg}", code="not_json"
        ) from None
    except RecursionError:
        raise PermanentError("the JSON is nested too deeply", code="too_deep") from None
    except ValueError:  # an integer of more digits than int() accepts
        raise PermanentError("a number is out of range", code="bad_number") from None
    if "\\u" in text:  # only an escape can bring a surrogate in
        try:
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise PermanentError(
                "the text has half of a surrogate pair", code="lone_surrogate"
            ) from None
    return document


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


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_number
)
