"""How much one cut takes in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.portions import RECORDS_MAX, RECORDS_MIN, portion_of

places = st.dictionaries(st.integers(0, 5), st.integers(0, 100_000), max_size=6)


@given(places, places, st.floats(0.001, 1.0), st.none() | st.floats(1, 1000))
def test_a_portion_is_bounded_goes_on_and_says_whether_it_is_all(
    positions: dict[int, int], ahead: dict[int, int], share: float, size: float | None
) -> None:
    ends = {p: positions.get(p, 0) + more for p, more in ahead.items()}

    portion = portion_of(ends, positions, share, addresses_per_record=size)

    taken = {p: end - positions.get(p, 0) for p, end in portion.ends.items()}
    assert sum(taken.values()) <= max(RECORDS_MAX, RECORDS_MIN) + len(taken)
    assert all(0 <= taken[p] <= ahead[p] for p in ahead)
    assert all(taken[p] > 0 for p in ahead if ahead[p] > 0)
    assert portion.shortened == (taken != ahead)
    assert set(portion.cut_short) == {p for p in ahead if taken[p] < ahead[p]}


def test_large_records_make_short_cuts() -> None:
    small = portion_of({0: 50_000}, {0: 0}, 1.0, addresses_per_record=1)
    large = portion_of({0: 50_000}, {0: 0}, 1.0, addresses_per_record=1000)
    unknown = portion_of({0: 50_000}, {0: 0}, 1.0)
    assert (small.ends[0], large.ends[0], unknown.ends[0]) == (10_000, 200, 500)


def test_a_small_sample_makes_short_cuts_too_for_its_input_is_long() -> None:
    assert portion_of({0: 50_000}, {0: 0}, 0.01, addresses_per_record=1).ends[0] == 2000
