"""Results as bodies. Pure: the same result is the same bytes.

Confidences are rounded: their last digits depend on what shared the device batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from contracts.components import COMPONENT_TYPES
from contracts.events import AddressResult
from contracts.http import (
    CONFIDENCE_DECIMALS,
    BatchedAddress,
    EventsAnswer,
    ParsedAddress,
)

_RESERVED: Final = frozenset(
    name
    for name in (*ParsedAddress.model_fields, *BatchedAddress.model_fields)
    if name not in COMPONENT_TYPES
)
_ORDER: Final = {name: place for place, name in enumerate(COMPONENT_TYPES)}


def parsed_body(result: AddressResult) -> bytes:
    """The body of ``POST /parse``."""
    return orjson.dumps(_flat(result))


def batch_body(results: Iterable[tuple[str, AddressResult | str]]) -> bytes:
    """The body of ``POST /parse/batch``.

    Args:
        results: the caller's id, and a result or the code of a fault, in order.
    """
    return orjson.dumps({"results": [_batched(name, result) for name, result in results]})


def _batched(name: str, result: AddressResult | str) -> dict[str, Any]:
    if isinstance(result, str):
        return {"id": name, "status": "error", "error": result}
    if result.status == "error":
        return {"id": name, "status": "error", "error": result.error}
    return {"id": name, "status": "ok", **_flat(result)}


def _flat(result: AddressResult) -> dict[str, Any]:
    levels = sorted(
        (name for name in result.address if name not in _RESERVED),
        key=lambda name: (_ORDER.get(name, len(_ORDER)), name),
    )
    return {
        **{name: result.address[name] for name in levels},
        "components": [
            {
                "type": one.type,
                "text": one.text,
                "start": one.start,
                "end": one.end,
                "confidence": round(one.confidence, CONFIDENCE_DECIMALS),
            }
            for one in result.components
        ],
        "confidence": _rounded(result.confidence),
        "adcode": result.adcode,
        "inferred": list(result.inferred),
        "issues": list(result.issues),
    }


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, CONFIDENCE_DECIMALS)


def events_body(answer: EventsAnswer) -> bytes:
    """The body of ``POST /events``."""
    return orjson.dumps(answer.model_dump())
