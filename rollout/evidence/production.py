"""Production's results as far as they are evidence: read leniently and fast, for there are many.

The whole of production's traffic passes here, most of it only to be counted. So results are not
validated field by field as messages are; what is needed of them is, and the rest is not looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from contracts.events import AddressResult, ParsedBatch

INPUT_FAULTS: Final = frozenset(
    {"bad_address", "bad_id", "bad_text", "empty_text", "lone_surrogate", "text_too_long"}
)
"""Faults of an address itself (``contracts.decode``): they say nothing about a model."""

_OFFSET_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ProductionEvidence:
    """One of production's results, as far as it is evidence.

    Attributes:
        partition: of the input record.
        offset: likewise.
        spec_key: ``ModelSpec.key`` of the model that made it.
        track: that served it.
        serving_epoch: under which it was served.
        addresses: how many it has, without those with input faults.
        errors: those of them that the model has no result for.
        flats: 64-bit hash of every flat view, eight bytes each, in order of the addresses.
    """

    partition: int
    offset: int
    spec_key: str
    track: str
    serving_epoch: int
    addresses: int
    errors: int
    flats: bytes


def is_input_fault(status: str, error: str | None) -> bool:
    """Whether an address itself is at fault, and no model."""
    return status == "error" and error in INPUT_FAULTS


def flat_hash(result: AddressResult) -> int:
    """64 bits over the flat view, or over the error where there is none."""
    return _hash64(result.status, result.error, result.address)


def production_of(batch: ParsedBatch) -> ProductionEvidence:
    """What one result of production says."""
    return read_production(batch.model_dump_json().encode())[1]


def read_production(raw: bytes) -> tuple[str, ProductionEvidence]:
    """The input's topic, and what one result of production says.

    Raises:
        ValueError: the bytes are no ``ParsedBatch`` as far as it matters here.
    """
    try:
        document = orjson.loads(raw)
        origin, model = document["origin"], document["model"]
        key = (
            f"{_text(model['version'])}@{_text(model['precision'])}"
            f"+{_text(model['digest'])[7:23]}+{_text(model['fingerprint'])}"
        )
        results = [_result(one) for one in document["results"]]
        judged = [status for status, error, _ in results if not is_input_fault(status, error)]
        return _text(origin["topic"]), ProductionEvidence(
            partition=_count(origin["partition"]),
            offset=_count(origin["offset"]),
            spec_key=key,
            track=_text(model["track"]),
            serving_epoch=_count(model["serving_epoch"]),
            addresses=len(judged),
            errors=judged.count("error"),
            flats=b"".join(_hash64(*one).to_bytes(8, "big") for one in results),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a ParsedBatch") from error


def _result(one: Mapping[str, Any]) -> tuple[str, str | None, Mapping[str, str]]:
    status, error, view = one["status"], one.get("error"), one.get("address", {})
    if status not in ("ok", "error") or not isinstance(view, dict):
        raise ValueError("not a result")
    return status, None if error is None else _text(error), view


def _hash64(status: str, error: str | None, view: Mapping[str, str]) -> int:
    said: object = view if status == "ok" else [error]
    raw = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _OFFSET_MAX:
        raise ValueError("not a number of that kind")
    return value
