"""The stream oracle says no to each kind of damage: a judge that cannot is worth nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracles.stream import Lane, Output, Place, StreamSeen, violations


def at(partition: int, offset: int, topic: str = "bulk") -> Place:
    return Place(topic, partition, offset)


ENDS = {Lane("bulk", 0): 2, Lane("bulk", 1): 6, Lane("urgent", 0): 1}
URGENT = Output(at(0, 0, "urgent"), 0, ("u",))
GOOD = StreamSeen(
    inputs={at(0, 0): ("a",), at(0, 1): ("b", "c"), at(1, 5): (), URGENT.place: ("u",)},
    # In one partition of the results those of two inputs lie as they come.
    results=[Output(at(0, 0), 0, ("a",)), Output(at(0, 1), 0, ("b", "c")), URGENT],
    dead_letters=[Output(at(1, 5), 1, ())],
    committed=ENDS,
    log_end=ENDS,
)


def test_a_faultless_stream_passes() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ({"results": [GOOD.results[0], URGENT]}, "lost"),
        ({"results": GOOD.results[:2]}, "lost: urgent/0/0"),
        ({"results": [*GOOD.results, URGENT]}, "doubled: urgent/0/0"),
        ({"results": [*GOOD.results, GOOD.results[1]]}, "doubled"),
        ({"dead_letters": [*GOOD.dead_letters, Output(at(0, 1), 0, ())]}, "doubled"),
        ({"results": [*GOOD.results, Output(at(0, 9), 0, ("z",))]}, "unknown origin"),
        ({"results": list(reversed(GOOD.results))}, "after offset"),
        ({"results": [GOOD.results[0], Output(at(0, 1), 0, ("b",)), URGENT]}, "other addresses"),
        ({"results": [GOOD.results[0], Output(at(0, 1), 1, ("b", "c")), URGENT]}, "in partition 1"),
        ({"committed": {**ENDS, Lane("bulk", 0): 1}}, "committed 1, log end 2"),
        ({"committed": {Lane("bulk", 0): 2}}, "committed 0, log end 6"),
        ({"committed": {**ENDS, Lane("urgent", 0): 0}}, "urgent/0: committed 0, log end 1"),
    ],
)
def test_every_kind_of_damage_is_named(damage: dict[str, object], word: str) -> None:
    found = violations(replace(GOOD, **damage))  # type: ignore[arg-type]  # by parameter
    assert any(word in line for line in found), found
