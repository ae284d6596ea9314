"""What a gateway takes as a body: everything else is told by field, and never repeated."""

from __future__ import annotations

import json

import pytest

from contracts.limits import Limits
from producer.gateway.bodies import batch_request, events_request, parse_request
from producer.gateway.problem import ProblemError, problem_body

LIMITS = Limits(max_addresses=3, max_address_chars=10)
PRIVATE = "机密路"


def raw(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "code", "status", "field"),
    [
        (b"", "not_json", 400, None),
        (b"{", "not_json", 400, None),
        (b"\xff", "not_utf8", 400, None),
        (b"[" * 100_000, "too_deep", 400, None),
        (b'{"address":' + b"9" * 400 + b"}", "bad_number", 400, None),
        (b'{"address":"x","address":"y"}', "duplicate_key", 400, None),
        (b'{"address":NaN}', "bad_number", 400, None),
        (raw([PRIVATE]), "bad_body", 422, ""),
        (raw({}), "bad_body", 422, "address"),
        (raw({"adress": PRIVATE}), "bad_body", 422, "address"),
        (raw({"address": PRIVATE, PRIVATE: 1}), "bad_body", 422, ""),
        (raw({"address": 7}), "bad_body", 422, "address"),
        (raw({"address": None}), "bad_body", 422, "address"),
        (raw({"address": " \u200b"}), "empty_text", 422, "address"),
        (raw({"address": "\ud800" + PRIVATE}), "lone_surrogate", 422, "address"),
        (raw({"address": PRIVATE * 4}), "text_too_long", 413, None),
    ],
)
def test_a_faulty_body_is_refused_with_its_code_and_field(
    body: bytes, code: str, status: int, field: str | None
) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_request(body, LIMITS)

    problem = caught.value
    told = json.loads(problem_body(problem))
    assert (told["code"], told["status"]) == (code, status)
    assert told["type"] == f"urn:mgeo:problem:{code}"
    assert [one["field"] for one in told.get("errors", [])] == ([] if field is None else [field])
    assert PRIVATE not in json.dumps(told, ensure_ascii=False)


def test_what_is_wrong_with_one_address_is_its_own_problem() -> None:
    found = batch_request(
        raw({"addresses": ["北京", {"id": "", "text": "x"}, {"id": "c"}]}), LIMITS
    )

    assert [(one.id, one.text, one.fault) for one in found] == [
        ("1", "北京", None),
        ("#1", None, "bad_id"),
        ("c", None, "bad_text"),
    ]


@pytest.mark.parametrize(
    ("addresses", "code"),
    [
        ([], "bad_body"),
        ("x", "bad_body"),
        (None, "bad_body"),
        (["x"] * 4, "too_many_addresses"),
    ],
)
def test_a_batch_that_is_none_is_refused_whole(addresses: object, code: str) -> None:
    with pytest.raises(ProblemError) as caught:
        batch_request(raw({"addresses": addresses}), LIMITS)

    assert caught.value.code == code


def test_events_have_a_source_a_key_and_a_batch_id_or_their_defaults() -> None:
    plain = events_request(raw({"addresses": ["x"]}), LIMITS)
    full = events_request(
        raw({"addresses": ["x"], "source": "s", "key": "k", "batch_id": "b"}), LIMITS
    )

    assert (plain.source, plain.key, plain.batch_id) == ("", None, None)
    assert (full.source, full.key, full.batch_id) == ("s", "k", "b")


@pytest.mark.parametrize(
    "field", [{"source": 1}, {"key": "x" * 201}, {"batch_id": ""}, {"batch_id": "\ud800"}]
)
def test_a_faulty_field_of_events_is_named(field: dict[str, object]) -> None:
    with pytest.raises(ProblemError) as caught:
        events_request(raw({"addresses": ["x"], **field}), LIMITS)

    assert [one.field for one in caught.value.errors] == list(field)
