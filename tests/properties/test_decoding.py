"""Reading input, for any bytes whatever."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.decode import decode_batch
from contracts.errors import PermanentError
from contracts.events import Address, AddressBatch
from contracts.limits import Limits
from contracts.strict_json import read_json

LIMITS = Limits()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
"""Anything json.dumps can write: NaN and Infinity too."""

almost_batches = st.fixed_dictionaries(
    {},
    optional={
        "batch_id": st.text(max_size=5) | json_values,
        "source": st.text(max_size=5) | json_values,
        "addresses": st.lists(
            st.fixed_dictionaries(
                {},
                optional={"id": st.text(max_size=5) | json_values, "text": st.text() | json_values},
            )
            | json_values,
            max_size=5,
        )
        | json_values,
    },
)


def decode_or_refuse(raw: bytes) -> None:
    """Whatever comes back can be written; whatever is raised is the dead-letter error."""
    try:
        batch = decode_batch(raw, LIMITS)
    except PermanentError:  # any other error fails the test
        return
    for one in batch.addresses:
        assert f"{batch.batch_id}{batch.source}{one.id}{one.text or ''}".encode()
        assert one.fault is not None or one.text


@settings(max_examples=400)
@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_decode_or_are_refused(raw: bytes) -> None:
    decode_or_refuse(raw)


@settings(max_examples=400)
@given(st.text('{}[]",:\\ud8bface0123456789-+.nulltrefasNI \n\x00', max_size=120))
def test_any_text_that_looks_like_json_decodes_or_is_refused(text: str) -> None:
    decode_or_refuse(text.encode())


@settings(max_examples=400)
@given(almost_batches, st.booleans())
def test_any_document_that_is_almost_a_batch_decodes_or_is_refused(
    document: dict[str, object], escaped: bool
) -> None:
    decode_or_refuse(json.dumps(document, ensure_ascii=escaped).encode())


@settings(max_examples=200)
@given(almost_batches, st.binary(min_size=1, max_size=4), st.integers(0, 400), st.integers(0, 20))
def test_a_batch_with_damage_anywhere_decodes_or_is_refused(
    document: dict[str, object], damage: bytes, start: int, length: int
) -> None:
    raw = json.dumps(document, ensure_ascii=False).encode()
    start = start % (len(raw) + 1)
    decode_or_refuse(raw[:start] + damage + raw[start + length :])


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)


@given(
    st.builds(
        AddressBatch,
        batch_id=names,
        source=st.text(st.characters(codec="utf-8"), max_size=200),
        addresses=st.lists(
            st.builds(Address, id=names, text=st.text(st.characters(codec="utf-8"))), min_size=1
        ).map(tuple),
    )
)
def test_what_a_publisher_writes_is_read_back_as_it_was(batch: AddressBatch) -> None:
    decoded = decode_batch(batch.model_dump_json().encode(), LIMITS)

    assert (decoded.batch_id, decoded.source) == (batch.batch_id, batch.source)
    assert [(one.id, one.text) for one in decoded.addresses] == [
        (one.id, one.text) for one in batch.addresses
    ]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=4)
        ),
    ),
    st.booleans(),
)
def test_strict_reading_agrees_with_the_standard_reader_on_clean_documents(
    document: object, escaped: bool
) -> None:
    raw = json.dumps(document, ensure_ascii=escaped).encode()

    assert read_json(raw, max_bytes=LIMITS.max_record_bytes) == document
