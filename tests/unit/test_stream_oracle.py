"""The stream oracle says no to each kind of damage: a judge that cannot is worth nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracles.stream import Output, StreamSeen, violations

GOOD = StreamSeen(
    inputs={(0, 0): ("a",), (0, 1): ("b", "c"), (1, 5): ()},
    results=[Output((0, 0), 0, ("a",)), Output((0, 1), 0, ("b", "c"))],
    dead_letters=[Output((1, 5), 1, ())],
    committed={0: 2, 1: 6},
    log_end={0: 2, 1: 6},
)


def test_a_faultless_stream_passes() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ({"results": GOOD.results[:1]}, "lost"),
        ({"results": [*GOOD.results, GOOD.results[1]]}, "doubled"),
        ({"dead_letters": [*GOOD.dead_letters, Output((0, 1), 0, ())]}, "doubled"),
        ({"results": [*GOOD.results, Output((0, 9), 0, ("z",))]}, "unknown origin"),
        ({"results": list(reversed(GOOD.results))}, "after offset"),
        ({"results": [GOOD.results[0], Output((0, 1), 0, ("b",))]}, "other addresses"),
        ({"results": [GOOD.results[0], Output((0, 1), 1, ("b", "c"))]}, "in partition 1"),
        ({"committed": {0: 1, 1: 6}}, "committed 1, log end 2"),
        ({"committed": {0: 2}}, "committed 0, log end 6"),
    ],
)
def test_every_kind_of_damage_is_named(damage: dict[str, object], word: str) -> None:
    found = violations(replace(GOOD, **damage))  # type: ignore[arg-type]  # by parameter
    assert any(word in line for line in found), found
