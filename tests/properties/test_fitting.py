"""A result always fits the topic that carries it, and no more is given up than must be."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.components import COMPONENT_TYPES
from contracts.decode import decode_batch
from contracts.errors import PermanentError
from contracts.events import AddressResult, Component
from contracts.fitting import encode_message, fit_results, too_large
from contracts.headers import header_bytes, result_headers
from contracts.limits import KIB, Limits
from contracts.topics import (
    RECORD_FRAME_BYTES,
    TopicNames,
    max_request_bytes,
    result_value_bytes,
    standard_topics,
)
from tests.properties.addresses import MODEL, ORIGIN, TIMING, batch_of, names, results
from tests.unit.clock import NOON


def densest_result(identifier: str, text: str, limits: Limits) -> AddressResult:
    """As many components as an address may have, each as long as its text allows."""
    width = max(1, len(text) // limits.max_components)
    components = tuple(
        Component(
            type=COMPONENT_TYPES[6],
            text=text[start : start + width],
            start=start,
            end=start + width,
            confidence=0.12345678901234567,
        )
        for start in range(0, width * min(limits.max_components, len(text)), width)
    )
    return AddressResult(
        id=identifier,
        text=text,
        status="ok",
        components=components,
        address=dict.fromkeys(COMPONENT_TYPES, text),
        inferred=COMPONENT_TYPES,
        adcode="110108",
        confidence=0.12345678901234567,
    )


@pytest.mark.parametrize("character", ["\x01", '"', "𠮷", "中"])
def test_the_largest_admissible_batch_fits_its_topic(character: str) -> None:
    limits = Limits()
    identifier = character * limits.max_id_chars
    text_chars = 120
    addresses: list[dict[str, str]] = []
    size = 1200 + 6 * limits.max_id_chars
    while len(addresses) < limits.max_addresses:
        address = {"id": identifier, "text": character * text_chars}
        size += len(json.dumps(address, ensure_ascii=False).encode()) + 2
        if size > limits.max_record_bytes:
            break
        addresses.append(address)
    raw = json.dumps(
        {"batch_id": identifier, "source": "s", "addresses": addresses}, ensure_ascii=False
    ).encode()
    decoded = decode_batch(raw, limits)
    assert len(raw) > limits.max_record_bytes // 2 or len(addresses) == limits.max_addresses
    batch = batch_of(
        [densest_result(one.id, one.text or "", limits) for one in decoded.addresses],
        batch_id=decoded.batch_id,
    )
    assert len(encode_message(batch)) > limits.max_result_bytes, "not a worst case"

    fitted, encoded = fit_results(batch, limits.max_result_bytes)

    assert len(encoded) <= limits.max_result_bytes
    assert [one.id for one in fitted.results] == [one.id for one in batch.results]
    assert {one.error for one in fitted.results} == {None, "result_too_large"}


@given(st.lists(results(), min_size=1, max_size=6), st.floats(0, 1))
def test_the_fewest_possible_results_give_way(rows: list[AddressResult], share: float) -> None:
    batch = batch_of(rows)
    floor = len(encode_message(batch_of([too_large(row) for row in rows])))
    room = floor + int(share * max(0, len(encode_message(batch)) - floor))

    fitted, encoded = fit_results(batch, room)

    assert len(encoded) <= room
    assert encoded == encode_message(fitted)
    changed = [
        index
        for index, (old, new) in enumerate(zip(rows, fitted.results, strict=True))
        if old != new
    ]
    assert all(fitted.results[index] == too_large(rows[index]) for index in changed)
    if changed:
        for fewer in itertools.combinations(range(len(rows)), len(changed) - 1):
            tried = [too_large(row) if i in fewer else row for i, row in enumerate(rows)]
            assert len(encode_message(batch_of(tried))) > room


def test_an_error_keeps_its_own_code_when_its_text_gives_way() -> None:
    row = AddressResult(id="1", text="长" * 5000, status="error", error="text_too_long")

    fitted, _ = fit_results(batch_of([row]), 1024)

    assert fitted.results[0].error == "text_too_long"
    assert fitted.results[0].text is None


def test_a_result_that_cannot_fit_even_as_errors_is_refused() -> None:
    rows = [AddressResult(id=str(n), text="x", status="error", error="bad_id") for n in range(9)]

    with pytest.raises(PermanentError) as refused:
        fit_results(batch_of(rows), 500)

    assert refused.value.code == "result_too_large"


@settings(max_examples=60)
@given(st.lists(names, min_size=1, max_size=40), names, st.text("\x01𠮷a", max_size=200))
def test_errors_alone_stay_within_the_bound_that_limits_promise(
    ids: list[str], batch_id: str, source: str
) -> None:
    raw = json.dumps(
        {"batch_id": batch_id, "source": source, "addresses": [{"id": one} for one in ids]},
        ensure_ascii=False,
    ).encode()
    limits = Limits(max_record_bytes=max(len(raw), KIB), max_addresses=len(ids))
    decoded = decode_batch(raw, limits)
    errors = [
        AddressResult(id=one.id, text=None, status="error", error="x" * 40)
        for one in decoded.addresses
    ]

    size = len(encode_message(batch_of(errors, batch_id=batch_id, source=source)))

    assert size <= len(raw) + limits.smallest_result_bytes - limits.max_record_bytes


def test_limits_under_which_errors_alone_would_not_fit_are_refused() -> None:
    with pytest.raises(ValidationError, match="max_result_bytes must be at least"):
        Limits(max_result_bytes=1024 * KIB)


@given(st.integers(0, 1024 * KIB + 16 * KIB - RECORD_FRAME_BYTES))
def test_a_result_beside_any_admissible_key_fits_the_topic_and_the_errors_fit_it(key: int) -> None:
    limits = Limits()
    topics = {topic.name: topic for topic in standard_topics(TopicNames(), limits=limits)}
    room = int(topics["address.parsed"].config["max.message.bytes"])
    headers = sum(
        header_bytes(*one) for one in result_headers(ORIGIN, MODEL, at=NOON, traceparent=b"0" * 55)
    )

    value = result_value_bytes(limits, key_bytes=key, header_bytes=headers)

    assert value + key + headers + RECORD_FRAME_BYTES <= room
    # The key took its part of the input record, so less of it can come back as ids.
    input_left = int(topics["address.events"].config["max.message.bytes"]) - key
    needed = input_left + limits.smallest_result_bytes - limits.max_record_bytes
    assert value >= min(needed, limits.smallest_result_bytes)


def test_topics_and_clients_have_room_for_what_they_carry() -> None:
    limits = Limits(max_record_bytes=300 * KIB, max_result_bytes=900 * KIB)
    sizes = {
        topic.name: int(topic.config["max.message.bytes"])
        for topic in standard_topics(TopicNames(), limits=limits)
        if "max.message.bytes" in topic.config
    }

    assert sizes["address.events"] > limits.max_record_bytes
    assert sizes["address.dlq"] == sizes["address.events"] + 64 * KIB
    assert sizes["address.parsed"] > limits.max_result_bytes
    assert sizes["address.shadow"] >= 2 * sizes["address.parsed"]
    assert max(sizes.values()) <= max_request_bytes(limits)


def test_the_timing_of_a_result_is_a_finite_number() -> None:
    for bad in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValidationError):
            TIMING.model_validate({"queue_ms": bad, "service_ms": 1.0, "device": "cpu"})
