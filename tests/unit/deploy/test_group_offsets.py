"""What is concluded from results about where a group stood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.group_offsets import Shown, Standing, standings
from deploy.ledger import Lane, Place

LANE = Lane("address.events", 0)


def standing(committed: int | None, shown: int | None, end: int = 10) -> Standing:
    return Standing(LANE, committed, shown, end)


@pytest.mark.parametrize(
    ("committed", "shown", "state", "to_set"),
    [
        (None, None, "never_parsed", None),
        (4, None, "agrees", None),  # its results may have been deleted
        (None, 7, "lost", 7),
        (3, 7, "behind", 7),
        (7, 7, "agrees", None),
        (9, 7, "agrees", None),  # the same: a group is never moved back
        (None, 11, "another_log", None),
        (4, 11, "another_log", None),
    ],
)
def test_each_way_in_which_offsets_and_results_can_stand(
    committed: int | None, shown: int | None, state: str, to_set: int | None
) -> None:
    one = standing(committed, shown)
    assert (one.state, one.to_set) == (state, to_set)


@pytest.mark.parametrize(
    ("input_ms", "state"),
    [(None, "lost"), (9_000, "lost"), (69_000, "lost"), (71_000, "another_log")],
)
def test_a_result_that_is_older_than_its_input_came_from_another_log(
    input_ms: int | None, state: str
) -> None:
    one = Standing(LANE, None, 7, 10, written_ms=10_000, input_ms=input_ms)
    assert one.state == state
    assert (one.to_set is None) == (state == "another_log")


def test_the_newest_result_or_dead_letter_of_each_partition_counts() -> None:
    other = Lane("address.interactive", 0)
    found = standings(
        {LANE: 10, other: 5},
        {other: 5},
        [
            Shown(Place(*LANE, 3), serving_epoch=2),
            Shown(Place(*LANE, 6), serving_epoch=4),
            Shown(Place(*LANE, 5)),  # a dead letter
            Shown(Place(*other, 4), serving_epoch=4),
            Shown(Place("another.topic", 0, 99)),
        ],
    )
    assert found == (Standing(LANE, None, 7, 10, 4), Standing(other, 5, 5, 5, 4))


@given(st.integers(1, 60), st.data())
def test_after_any_loss_exactly_what_was_not_parsed_is_left(end: int, data: st.DataObject) -> None:
    """Outputs are a prefix of the input; whatever offset is left, the right one is found."""
    parsed = data.draw(st.integers(0, end))
    left = data.draw(st.one_of(st.none(), st.integers(0, parsed)))
    shown = [Shown(Place(*LANE, offset)) for offset in range(parsed)]
    (one,) = standings({LANE: end}, {} if left is None else {LANE: left}, shown)
    begins = one.to_set if one.to_set is not None else (one.committed or 0)
    assert begins == parsed
