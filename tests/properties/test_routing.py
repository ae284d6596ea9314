"""Which records the candidate gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.routing import hash_unit, takes_candidate

places = st.tuples(st.text(max_size=30), st.integers(0, 10_000), st.integers(0, 2**62))


@given(places)
def test_the_hash_is_a_number_from_zero_up_to_one_and_always_the_same(
    place: tuple[str, int, int],
) -> None:
    assert 0.0 <= hash_unit(*place) < 1.0
    assert hash_unit(*place) == hash_unit(*place)


def test_the_hash_is_the_same_in_every_release() -> None:
    # Workers of two releases serve one topic during an upgrade: they must agree.
    assert hash_unit("r-1", 3, 1234) == 0.5500696380933264
    assert hash_unit("", 0, 0) == 0.6531312415680988


@given(places, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_every_record_of_a_smaller_one(
    place: tuple[str, int, int], one: float, other: float
) -> None:
    small, large = sorted((one, other))
    if takes_candidate(*place, small):
        assert takes_candidate(*place, large)


@given(places)
def test_no_share_is_nothing_and_the_whole_share_is_everything(
    place: tuple[str, int, int],
) -> None:
    assert not takes_candidate(*place, 0.0)
    assert takes_candidate(*place, 1.0)


def test_each_partition_gives_the_candidate_about_its_share() -> None:
    for rollout in ("r-1", "r-2"):
        for partition in range(4):
            taken = sum(takes_candidate(rollout, partition, offset, 0.05) for offset in range(4000))
            assert 130 <= taken <= 270, "five standard deviations around 200"


def test_every_tenth_of_the_unit_gets_its_tenth() -> None:
    bins = [0] * 10
    for offset in range(10_000):
        bins[int(hash_unit("r-1", 0, offset) * 10)] += 1
    assert all(850 <= count <= 1150 for count in bins), bins


def test_two_rollouts_choose_independently() -> None:
    both = sum(
        takes_candidate("r-1", 0, offset, 0.5) and takes_candidate("r-2", 0, offset, 0.5)
        for offset in range(4000)
    )
    assert 860 <= both <= 1140
