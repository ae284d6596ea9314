"""Production's results are read fast, and no stranger's bytes get through or break anything."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.fitting import encode_message
from rollout.evidence.production import flat_hash, read_production
from tests.properties.addresses import batch_of, results
from tests.rollouts.pairs import CANDIDATE, failed, parsed, result_of


def test_only_the_models_own_errors_are_counted() -> None:
    batch = result_of(7, [parsed("浙"), failed("浙"), failed("", "empty_text")], model=CANDIDATE)

    topic, result = read_production(encode_message(batch))

    assert topic == "address.events"
    assert (result.partition, result.offset, result.spec_key) == (0, 7, CANDIDATE.key)
    assert (result.addresses, result.errors) == (2, 1)


@given(st.lists(results(), min_size=1, max_size=4))
def test_a_result_hashes_as_the_shadows_does(rows: list) -> None:  # type: ignore[type-arg]
    _, result = read_production(encode_message(batch_of(rows)))

    hashes = [int.from_bytes(result.flats[8 * n : 8 * n + 8], "big") for n in range(len(rows))]
    assert hashes == [flat_hash(one) for one in rows]


WHOLE = encode_message(result_of(7, [parsed("浙")]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"origin":' * 2000,
        WHOLE[:-1],
        WHOLE.replace(b'"offset":7', b'"offset":-7'),
        WHOLE.replace(b'"offset":7', b'"offset":"7"'),
        WHOLE.replace(b'"offset":7', b'"offset":1' + b"0" * 40),
        WHOLE.replace(b'"status":"ok"', b'"status":"fine"'),
        WHOLE.replace(b'"address":{', b'"address":[{').replace(b"},", b"}],", 1),
        WHOLE.replace(b'"digest":"sha256', b'"digest":["sha256'),
        WHOLE.replace(b'"results":[', b'"results":7,"other":['),
    ],
)
def test_what_is_no_result_is_told_as_such(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (any text will do)
        read_production(raw)


@given(st.binary(max_size=60), st.integers(0, len(WHOLE)))
def test_any_damage_is_a_result_or_a_value_error(noise: bytes, place: int) -> None:
    with contextlib.suppress(ValueError):
        read_production(WHOLE[:place] + noise + WHOLE[place + len(noise) :])
