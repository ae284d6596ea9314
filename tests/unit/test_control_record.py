"""The control record: read whole or not at all, and never guessed at."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.control import RolloutState, ServingSet, decode_state, encode_state, first_state
from contracts.errors import PermanentError
from contracts.examples import CANDIDATE, ROLLOUT_STATE, STABLE
from contracts.limits import MIB


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(encode_state(ROLLOUT_STATE)), **fields}).encode()


def test_a_state_is_read_back_as_written() -> None:
    assert decode_state(encode_state(ROLLOUT_STATE)) == ROLLOUT_STATE


def test_the_first_state_serves_the_stable_model_alone() -> None:
    state = first_state(STABLE, incarnation="i-1", updated_at="2026-01-02T12:00:00Z")

    assert decode_state(encode_state(state)) == state
    assert (state.revision, state.serving.serving_epoch, state.serving.share) == (1, 1, 0.0)
    assert state.serving.specs == (STABLE,)


UNUSABLE: dict[str, bytes | None] = {
    "a tombstone": None,
    "nothing": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "an empty object": b"{}",
    "too large": b" " * MIB,
    "too deep": b"[" * 100_000,
    "a key twice": b'{"revision":1,"revision":2}',
    "half a surrogate pair": rb'{"incarnation":"\ud800"}',
    "no serving set": changed(serving=None),
    "revision nought": changed(revision=0),
    "a schema version that is text": changed(schema_version="one"),
    "a share of two": changed(serving={"stable": STABLE.model_dump(), "share": 2}),
    "an unknown precision": changed(previous={**STABLE.model_dump(), "precision": "int1"}),
    "a digest with something before it": changed(
        previous={**STABLE.model_dump(), "digest": "x" + STABLE.digest}
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_record_is_named_corrupt(name: str) -> None:
    with pytest.raises(PermanentError) as refused:
        decode_state(UNUSABLE[name])

    assert refused.value.code == "control_corrupt"


def test_a_record_of_a_later_release_asks_for_an_upgrade() -> None:
    with pytest.raises(PermanentError) as refused:
        decode_state(changed(schema_version=2, serving="of another shape"))

    assert refused.value.code == "control_from_the_future"
    assert "upgrade" in refused.value.hint


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_a_code(raw: bytes) -> None:
    with pytest.raises(PermanentError) as refused:
        decode_state(raw)

    assert refused.value.code == "control_corrupt"


def test_a_share_without_a_candidate_is_no_serving_set() -> None:
    with pytest.raises(ValidationError, match="needs a candidate"):
        ServingSet(stable=STABLE, share=0.5, serving_epoch=2)

    both = ServingSet(stable=STABLE, candidate=CANDIDATE, share=0.5, serving_epoch=2)
    assert both.specs == (STABLE, CANDIDATE)


def test_a_state_cannot_be_changed_in_place() -> None:
    state: RolloutState = ROLLOUT_STATE
    with pytest.raises(ValidationError, match="frozen"):
        state.revision = 99  # type: ignore[misc]  # that is what the test is about
