"""The book of live latency runs can say no: a summary that always approved would be worthless."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.latency_gate import GATES, answer
from benchmarks.latency_runs import CANDIDATES, MODES, Book, Outcome, Run, add, read, table
from contracts.judgement import GateResult, GateStatus

CONDITIONS = {"latency_ratio": {"max_ratio": 1.1}, "token_budget": 64}


def run(
    seed: int,
    outcome: Outcome,
    candidate: Literal["slower", "same"] = "slower",
    mode: str = "full",
) -> Run:
    return Run(
        mode=mode,
        candidate=candidate,
        seed=seed,
        outcome=outcome,
        by=("latency_ratio",) if outcome == "stopped" else (),
        batches=100,
        against_limit=0,
        ratio=1.25 if candidate == "slower" else 1.0,
        ratio_bound=1.3,
        excess=None,
        warming_s=2.0,
        seconds=8.0,
        capacity=100.0,
        load=1.5,
        at="2026-11-25T22:00:00+00:00",
    )


def cell(*outcomes: Outcome, candidate: Literal["slower", "same"] = "slower") -> Book:
    return Book(CONDITIONS, tuple(run(n, one, candidate) for n, one in enumerate(outcomes)))


@pytest.mark.parametrize(
    ("candidate", "good", "bad"),
    [
        ("slower", "stopped", "passed"),
        ("slower", "stopped", "undecided"),
        ("same", "passed", "stopped"),
        ("same", "passed", "undecided"),
    ],
)
def test_nineteen_of_twenty_hold_and_eighteen_do_not(
    candidate: Literal["slower", "same"], good: Outcome, bad: Outcome
) -> None:
    (enough,) = cell(*[good] * 19, bad, candidate=candidate).cells()
    assert enough.enough
    (short,) = cell(*[good] * 18, bad, bad, candidate=candidate).cells()
    assert not short.enough
    assert (short.right, short.runs) == (18, 20)


def test_what_was_not_run_does_not_hold() -> None:
    assert not Book(CONDITIONS).holds
    assert not cell(*["stopped"] * 20).holds  # type: ignore[arg-type]  # a list of one literal
    (few,) = cell("stopped", "stopped").cells()
    assert not few.enough


def test_one_short_cell_among_good_ones_is_enough_to_say_no() -> None:
    book = Book(
        CONDITIONS,
        tuple(
            run(seed, "stopped" if candidate == "slower" else "passed", candidate, mode)
            for mode in MODES
            for candidate in CANDIDATES
            for seed in range(20)
        ),
    )
    assert book.holds
    wrong = tuple(
        replace(one, outcome="undecided")
        if (one.mode, one.candidate) == ("replay", "same") and one.seed < 2
        else one
        for one in book.runs
    )
    assert not Book(CONDITIONS, wrong).holds
    assert "| replay | same | 18 of 20 |" in table(Book(CONDITIONS, wrong).cells())


def test_a_run_is_never_made_twice_and_none_is_left_out() -> None:
    book = cell("stopped", "passed")
    assert book.left(3, ["full"], ["slower"]) == [("full", "slower", 2)]
    with pytest.raises(ValueError, match="was run before"):
        book.with_run(run(1, "stopped"))
    assert len(Book(CONDITIONS).left(20)) == 160


def test_a_slice_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    out = tmp_path / "runs.json"
    assert read(out, CONDITIONS).runs == ()
    add(out, CONDITIONS, run(0, "stopped"))
    add(out, CONDITIONS, run(0, "passed", "same"))
    assert read(out, CONDITIONS).runs == (run(0, "stopped"), run(0, "passed", "same"))


def test_runs_under_other_thresholds_are_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "runs.json"
    add(out, CONDITIONS, run(0, "stopped"))
    with pytest.raises(ValueError, match="other conditions"):
        read(out, {**CONDITIONS, "latency_ratio": {"max_ratio": 1.2}})


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        (("passed", "passed"), "passed"),
        (("failed", "passed"), "stopped"),
        (("undecided", "failed"), "stopped"),
        (("passed", "undecided"), "undecided"),
        (("passed",), "undecided"),
        ((), "undecided"),
    ],
)
def test_a_pass_needs_both_gates_and_a_stop_one(
    statuses: tuple[GateStatus, ...], said: Outcome
) -> None:
    gates = [
        GateResult(name=name, kind="guard", status=status, threshold=1.1, reason="")
        for name, status in zip(GATES, statuses, strict=False)
    ]
    assert answer(gates) == said
