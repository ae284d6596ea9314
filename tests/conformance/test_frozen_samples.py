"""Messages that were once on a topic are readable for ever, and mean what they meant.

The samples are never edited: a new shape gets a new sample beside the old ones.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from contracts.audit import decode_audit
from contracts.control import RolloutState, decode_state
from contracts.decode import decode_batch
from contracts.errors import PermanentError
from contracts.events import AddressBatch, ParsedBatch, ShadowPair
from contracts.headers import header, traceparent_of, track_of
from contracts.limits import Limits
from contracts.requests import decode_request

SAMPLES = Path(__file__).parent / "samples"
AGES = ["v1", "later"]
TEXT = "北京市海淀区中关村大街1号"


def value_of(age: str, name: str) -> bytes:
    return (SAMPLES / age / f"{name}.value").read_bytes()


def headers_of(age: str, name: str) -> list[tuple[str, bytes]]:
    texts = json.loads((SAMPLES / age / f"{name}.headers.json").read_text(encoding="utf-8"))
    return [(key, text.encode()) for key, text in texts.items()]


def test_no_sample_was_edited_or_lost() -> None:
    pinned = dict(
        reversed(line.split(maxsplit=1))
        for line in (SAMPLES / "SHA256SUMS").read_text().splitlines()
    )
    found = {
        path.relative_to(SAMPLES).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for age in AGES
        for path in (SAMPLES / age).iterdir()
    }

    assert found == pinned, "samples are frozen: restore the old ones, and pin a new one's digest"


@pytest.mark.parametrize("age", AGES)
def test_an_address_batch_is_read(age: str) -> None:
    raw = value_of(age, "address_batch")
    batch = decode_batch(raw, Limits())

    assert (batch.batch_id, batch.source) == ("b-1", "orders")
    assert [(one.id, one.text, one.fault) for one in batch.addresses] == [
        ("1", TEXT, None),
        ("2", "\u200b", "empty_text"),
    ]
    assert AddressBatch.model_validate_json(raw).addresses[0].text == TEXT
    headers = headers_of(age, "address_batch")
    assert track_of(headers) == "stable"
    assert (traceparent_of(headers) or b"").startswith(b"00-4bf92f35")


def test_a_plain_record_without_any_header_is_read() -> None:
    batch = decode_batch(value_of("v1", "address_batch_bare"), Limits())

    assert batch.source == ""
    assert batch.addresses[0].text == "上海市浦东新区张江高科技园区"
    assert headers_of("v1", "address_batch_bare") == []


def test_a_record_in_ascii_with_escapes_is_read() -> None:
    (address,) = decode_batch(value_of("v1", "address_batch_escaped"), Limits()).addresses

    assert (address.id, address.text) == ("甲", "𠮷林省长春市😀")


@pytest.mark.parametrize("age", AGES)
def test_a_parsed_batch_is_read(age: str) -> None:
    batch = ParsedBatch.model_validate_json(value_of(age, "parsed_batch"))

    assert batch.origin.id == "address.events/3/1234"
    assert (batch.model.version, batch.model.precision) == ("mgeo-base-v1-20230815", "fp16")
    assert (batch.model.track, batch.model.serving_epoch) == ("stable", 7)
    assert (batch.timing.queue_ms, batch.timing.service_ms) == (12.1, 8.4)
    parsed, empty = batch.results
    assert parsed.address == {
        "prov": "北京市",
        "city": "北京市",
        "district": "海淀区",
        "road": "中关村大街",
        "roadno": "1号",
    }
    assert [(one.type, one.start, one.end) for one in parsed.components] == [
        ("city", 0, 3),
        ("district", 3, 6),
        ("road", 6, 11),
        ("roadno", 11, 13),
    ]
    assert all(TEXT[one.start : one.end] == one.text for one in parsed.components)
    assert (parsed.inferred, parsed.adcode, parsed.confidence) == (("prov",), "110108", 0.97)
    assert (empty.id, empty.status, empty.error) == ("2", "error", "empty_text")
    headers = headers_of(age, "parsed_batch")
    assert header(headers, "ce_id") == b"address.events/3/1234"
    assert header(headers, "mgeo-model") == b"mgeo-base-v1-20230815@fp16"
    assert header(headers, "mgeo-serving-epoch") == b"7"


@pytest.mark.parametrize("age", AGES)
def test_a_shadow_pair_is_read(age: str) -> None:
    pair = ShadowPair.model_validate_json(value_of(age, "shadow_pair"))

    assert (pair.batch.rows, pair.batch.tokens, pair.batch.order) == (64, 1480, "candidate_first")
    assert pair.candidate.model.version == "mgeo-base-v2-20260101"
    assert pair.reference.model.version == "mgeo-base-v1-20230815"
    assert (pair.candidate.device_ms, pair.reference.device_ms) == (8.1, 8.0)
    assert pair.candidate.results == pair.reference.results


@pytest.mark.parametrize("age", AGES)
def test_a_rollout_state_is_read(age: str) -> None:
    state = decode_state(value_of(age, "rollout_state"))

    assert (state.revision, state.phase, state.paused) == (12, "CANARY", False)
    assert state.serving.share == 0.05
    assert state.serving.serving_epoch == 7
    assert [spec.name for spec in state.serving.specs] == [
        "mgeo-base-v1-20230815@fp16",
        "mgeo-base-v2-20260101@fp16",
    ]


def test_the_first_rollout_state_is_read() -> None:
    state = decode_state(value_of("v1", "rollout_state_first"))

    assert (state.revision, state.phase, state.serving.share) == (1, None, 0.0)
    assert state.serving.specs == (state.serving.stable,)


def test_a_state_with_a_running_rollout_is_read() -> None:
    rollout = decode_state(value_of("v1", "rollout_state_running")).rollout

    assert rollout is not None
    assert (rollout.rollout_id, rollout.attempt, rollout.share_written) == (
        "r-20260102-1",
        1,
        True,
    )
    assert rollout.from_offsets == {0: 100, 1: 90}
    assert rollout.policy.canary.steps[0].share == 0.05
    assert rollout.cut is not None
    assert (rollout.cut.number, rollout.cut.shadow) == (42, {0: 9000, 1: 8800})
    assert rollout.judgement is not None
    assert (rollout.judgement.verdict, rollout.judgement.proven) == ("pass", ("exact_match",))
    assert rollout.decision is not None
    assert rollout.decision.digest == "sha256:" + "3d" * 32


def test_a_shadow_pair_names_its_rollout() -> None:
    pair = ShadowPair.model_validate_json(value_of("v1", "shadow_pair_of_rollout"))

    assert (pair.rollout_id, pair.input_ms) == ("r-20260102-1", 1_767_355_190_000)


def test_requests_are_read() -> None:
    start = decode_request(value_of("v1", "rollout_request_start"))
    assert (start.kind, start.rollout_id, start.expected_entry) == ("start", "r-20260102-1", None)
    assert start.start is not None
    assert start.start.candidate.name == "mgeo-base-v2-20260101@fp16"
    for age, name in (("v1", "rollout_request_abort"), ("later", "rollout_request")):
        abort = decode_request(value_of(age, name))
        assert (abort.kind, abort.request_id, abort.reason) == ("abort", "q-2", "too slow")


def test_audit_records_are_read() -> None:
    moved = decode_audit(value_of("v1", "audit_transition"))
    assert moved.transition is not None
    assert (moved.transition.previous, moved.transition.phase) == ("STAGING", "CANARY")
    assert moved.rollout is not None
    cut = decode_audit(value_of("v1", "audit_cut")).cut
    assert cut is not None
    assert (cut.cut.number, cut.judgement.verdict, cut.outcomes) == (42, "pass", 17800)
    for age, name in (("v1", "audit_request"), ("later", "audit_record")):
        request = decode_audit(value_of(age, name)).request
        assert request is not None
        assert (request.kind, request.offset, request.accepted) == ("abort", 5, True)
    assert header(headers_of("v1", "audit_cut"), "mgeo-audit-kind") is not None


def test_an_older_controller_hands_on_what_a_later_one_wrote() -> None:
    state = decode_state(value_of("later", "rollout_state"))

    again = RolloutState.model_validate_json(state.model_dump_json())

    assert again.model_extra == {"since_v9": {"any": [1, None, "新"]}}


def test_a_state_of_a_later_schema_is_refused_and_not_guessed_at() -> None:
    with pytest.raises(PermanentError) as refused:
        decode_state(value_of("later", "rollout_state_v2"))

    assert refused.value.code == "control_from_the_future"


def test_a_dead_letter_says_why_and_where_from() -> None:
    headers = headers_of("v1", "dead_letter")

    assert header(headers, "mgeo-error-code") == b"not_json"
    assert header(headers, "__connect.errors.topic") == b"address.events"
    assert header(headers, "__connect.errors.partition") == b"3"
    assert header(headers, "__connect.errors.offset") == b"1234"
    assert header(headers, "__connect.errors.stage") == b"VALUE_CONVERTER"
