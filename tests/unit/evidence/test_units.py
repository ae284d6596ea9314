"""Which addresses count as one, and the memory of those that were seen."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.units import UnitSet, unit_of, unit_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("西湖区文三路1号", "⻄湖区文三路１号"),
        ("西湖区 文三路, 1号", "西湖区文三路1号"),
        ("西湖区文三路1号A座", "西湖区文三路1号a座"),
        ("12－3－1001", "12-3-1001"),
        ("12 — 3", "12-3"),
        ("文三路\u200b1号。", "文三路1号"),
        ("㎡", "m2"),
    ],
)
def test_what_only_looks_different_is_one_unit(one: str, other: str) -> None:
    assert unit_of(one) == unit_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("12-3-1001", "1-23-1001"), ("1号", "2号"), ("12-3", "123"), ("文三路1号", "文二路1号")],
)
def test_two_houses_are_two_units(one: str, other: str) -> None:
    assert unit_of(one) != unit_of(other)


@given(st.text())
def test_the_text_of_a_unit_is_its_own(text: str) -> None:
    assert unit_text(unit_text(text)) == unit_text(text)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40)), st.integers(1, 60))
def test_the_set_is_a_set_up_to_its_limit(numbers: list[int], limit: int) -> None:
    units, model = UnitSet(limit), set[int]()
    for number in numbers:
        new = number not in model and len(model) < limit
        assert units.add(number) is new
        if new:
            model.add(number)
        assert (number in units) == (number in model)
    assert len(units) == len(model)
    assert units.full == (len(model) == limit)


def test_a_number_takes_at_most_32_bytes() -> None:
    rng, units = random.Random(5), UnitSet(1_000_000)
    for _ in range(50_000):
        units.add(rng.getrandbits(64))
        assert units.nbytes <= 32 * max(len(units), 512)
