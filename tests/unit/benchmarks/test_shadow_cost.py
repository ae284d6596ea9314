"""What the shadow's cost is computed from: ratios within a turn, quantiles over all records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.shadow_cost import (
    CONDITIONS,
    Cores,
    Stretch,
    chosen_cores,
    compared,
    pooled,
    table,
)

ALONE = Stretch(
    turn=0,
    condition="alone",
    completed_per_s=100.0,
    p50_s=0.05,
    p99_s=0.1,
    max_s=0.2,
    cpu={},
    shadowed=0,
    behind=0,
    load_average=1.0,
    milliseconds=(50.0, 60.0, 100.0),
)


def shadowed(turn: int, p99_s: float, milliseconds: tuple[float, ...] = (50.0,)) -> Stretch:
    return replace(ALONE, turn=turn, condition="shadow", p99_s=p99_s, milliseconds=milliseconds)


def test_compares_within_a_turn_so_that_a_machine_that_grows_slower_slows_both() -> None:
    stretches = [
        ALONE,
        shadowed(0, 0.1),
        replace(ALONE, turn=1, p99_s=0.4),
        shadowed(1, 0.42),
        replace(ALONE, turn=2, p99_s=0.2),
        shadowed(2, 0.22),
    ]
    ratio = compared(stretches, "shadow")["p99_s"]
    assert ratio["median"] == pytest.approx(1.05)
    assert (ratio["low"], ratio["high"]) == (pytest.approx(1.0), pytest.approx(1.1))


def test_leaves_out_a_turn_that_has_nothing_to_be_compared_with() -> None:
    stretches = [ALONE, shadowed(0, 0.11), shadowed(1, 9.0)]
    assert compared(stretches, "shadow")["p99_s"]["high"] == pytest.approx(1.1)


def test_takes_quantiles_over_the_records_of_all_turns() -> None:
    stretches = [ALONE, shadowed(0, 0.1, (10.0, 20.0)), shadowed(1, 0.1, (30.0,))]
    assert pooled(stretches, "shadow", 0.5) == pytest.approx(0.02)


def test_prints_a_line_for_every_condition() -> None:
    stretches = [replace(ALONE, condition=condition) for condition in CONDITIONS]
    summary = {
        condition: {"p50_s": 0.05, "p99_s": 0.1, "over_alone": compared(stretches, condition)}
        for condition in CONDITIONS
    }
    lines = table({"summary": summary}).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {name}" for name in CONDITIONS]


@pytest.mark.parametrize(
    ("available", "each", "chosen"),
    [
        ([0, 1], 1, Cores((0,), (1,), (0,), (0,))),
        ([0, 1, 2], 1, Cores((0,), (1,), (2,), (0,))),
        ([0, 2, 4, 6, 8], 1, Cores((0,), (2,), (4,), (6,))),
        (range(8), 2, Cores((0, 1), (2, 3), (4, 5), (6, 7))),
        (range(7), 2, Cores((0,), (1,), (2,), (3,))),
    ],
)
def test_gives_cores_of_their_own_while_there_are_any(
    available: list[int], each: int, chosen: Cores
) -> None:
    assert chosen_cores(available, each) == chosen
