"""Offset metadata, versions, spec names and trace headers: written, read back, refused."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.errors import UsageError
from contracts.events import Origin
from contracts.headers import (
    CONNECT_NAMES,
    ERROR_CODE,
    HEADERS_DROPPED,
    TRACEPARENT,
    dead_letter_headers,
    header,
    header_bytes,
    traceparent_of,
    track_of,
)
from contracts.limits import DEAD_LETTER_HEADROOM_BYTES, OFFSET_METADATA_MAX_BYTES
from contracts.offset_metadata import OffsetMetadata
from contracts.spec import ModelSpec, parse_spec_name, parse_version

int64 = st.integers(0, 2**63 - 1)
ORIGIN = Origin(topic="t" * 249, partition=2**31 - 1, offset=2**63 - 1)
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(st.builds(OffsetMetadata, serving_epoch=int64, from_offset=int64, attempt=int64))
def test_offset_metadata_is_read_back_as_written_and_kafka_accepts_its_size(
    metadata: OffsetMetadata,
) -> None:
    text = metadata.encode()

    assert OffsetMetadata.decode(text) == metadata
    assert len(text.encode()) <= OFFSET_METADATA_MAX_BYTES


@given(st.text())
def test_foreign_offset_metadata_is_none_and_never_an_error(text: str) -> None:
    assert OffsetMetadata.decode(text) is None


def test_offset_metadata_of_a_later_release_is_read_for_what_is_known() -> None:
    assert OffsetMetadata.decode("v1;e=7;from=12;attempt=2;later=x") == OffsetMetadata(7, 12, 2)
    for foreign in (None, "", "v2;e=1;from=1;attempt=1", "v1;e=１;from=1;attempt=1", "v1;e=1"):
        assert OffsetMetadata.decode(foreign) is None


@given(
    st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True),
    st.dates(min_value=date(1000, 1, 1)),
)
def test_every_version_of_the_form_is_read(base: str, finetune: str, day: date) -> None:
    version = parse_version(f"{base}-{finetune}-{day:%Y%m%d}")

    assert version == (base, finetune, day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mgeo",
        "mgeo-v1",
        "mgeo-v1-2023081",
        "mgeo-v1-20230230",
        "mgeo-v1-20231301",
        "mgeo-v1-00000101",
        "MGEO-v1-20230815",
        "mgeo--v1-20230815",
        "-mgeo-v1-20230815",
        "mgeo-v1-20230815\n",
        " mgeo-v1-20230815",
        "mgeo-v1-２０２３０８１５",
        "mgeo/../v1-20230815",
        "mgeo-v1-20230815@fp16",
        "a" * 100 + "-v1-20230815",
    ],
)
def test_anything_else_is_not_a_version(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_version(text)
    assert refused.value.code == "bad_version"
    assert "BASE-FINETUNE-YYYYMMDD" in refused.value.hint


def test_a_spec_name_is_a_version_and_perhaps_a_precision() -> None:
    assert parse_spec_name("mgeo-base-v1-20230815") == ("mgeo-base-v1-20230815", None)
    assert parse_spec_name("mgeo-base-v1-20230815@bf16") == ("mgeo-base-v1-20230815", "bf16")
    for text in (
        "mgeo-base-v1-20230815@",
        "mgeo-base-v1-20230815@int4",
        "mgeo-v1-20230815@fp16@fp16",
    ):
        with pytest.raises(UsageError) as refused:
            parse_spec_name(text)
        assert refused.value.code == "bad_precision"


@pytest.mark.parametrize(
    "digest",
    [
        "0" * 64,
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 65,
        "xsha256:" + "0" * 64,
        "sha256:" + "A" * 64,
    ],
)
def test_a_digest_is_sha256_in_lower_case_and_nothing_beside(digest: str) -> None:
    with pytest.raises(ValidationError):
        ModelSpec(
            version="mgeo-base-v1-20230815", digest=digest, precision="fp16", fingerprint="0" * 16
        )


@pytest.mark.parametrize(
    "value",
    [
        b"",
        TRACE.upper(),
        TRACE + b"-more",
        TRACE + b"\n",
        TRACE[:-1],
        b"ff" + TRACE[2:],
        b"00-" + b"0" * 32 + TRACE[35:],
        TRACE[:36] + b"0" * 16 + b"-01",
        "００".encode() + TRACE[2:],
    ],
)
def test_a_malformed_traceparent_is_dropped(value: bytes) -> None:
    assert traceparent_of([(TRACEPARENT, value)]) is None
    assert traceparent_of([(TRACEPARENT, TRACE)]) == TRACE


@given(st.binary())
def test_only_known_tracks_are_asked_for(value: bytes) -> None:
    asked = track_of([("mgeo-track", value)])
    assert asked == (value.decode() if value in (b"stable", b"canary") else None)


headers_of_strangers = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), max_size=20), st.none() | st.binary(max_size=64)
    ),
    max_size=30,
)


@given(headers_of_strangers, st.integers(1, 3000))
def test_headers_of_a_dead_letter_stay_within_their_room(
    some: list[tuple[str, bytes]], times: int
) -> None:
    original = some * times
    made = dead_letter_headers(
        ORIGIN, code="c" * 60, stage="VALUE_CONVERTER", error_class="E" * 60, original=original
    )

    assert sum(header_bytes(*one) for one in made) <= DEAD_LETTER_HEADROOM_BYTES
    ours = {*CONNECT_NAMES, ERROR_CODE, HEADERS_DROPPED}
    kept = [one for one in made if one[0] not in ours]
    dropped = int(header(made, HEADERS_DROPPED) or b"0")
    assert len(kept) + dropped == len([one for one in original if one[0] not in ours])


def test_a_dead_letter_that_fails_again_tells_of_the_last_failure_alone() -> None:
    first = dead_letter_headers(
        ORIGIN,
        code="not_json",
        stage="VALUE_CONVERTER",
        error_class="PermanentError",
        original=[("mine", b"1")],
    )
    again = dead_letter_headers(
        Origin(topic="address.events", partition=0, offset=5),
        code="crashed_worker",
        stage="TASK_PUT",
        error_class="PermanentError",
        original=first,
    )

    names = [name for name, _ in again]
    assert len(names) == len(set(names)) == len(CONNECT_NAMES) + 2
    assert header(again, ERROR_CODE) == b"crashed_worker"
    assert header(again, "mine") == b"1"
    assert all(re.fullmatch(r"[A-Za-z._-]+", name) for name in names)
