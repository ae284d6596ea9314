"""Small runs of the simulations that the figures in ``docs/architecture/judging.md`` come from."""

from __future__ import annotations

import random
import statistics

import pytest

from benchmarks.false_promotion import Run, simulate
from benchmarks.real_pairs import stored_pairs
from benchmarks.simulated_latency import MACHINES, SLOWER, judged
from benchmarks.traffic import Damage, Pool, Shape, Traffic
from contracts.policy import Policy
from rollout.stats.display import clopper_pearson_interval

RUNS = 120
SMALL_RECORDS = Shape(per_record=2, repeats=0.2, burst_records=15)


@pytest.fixture(scope="module")
def at_the_threshold() -> list[Run]:
    """Rollouts whose true exact match is exactly the threshold: none may be promoted."""
    return [
        simulate(
            "exact_at_threshold",
            seed,
            max_pairs=250,
            records_per_cut=7,
            shape=SMALL_RECORDS,
        )
        for seed in range(RUNS)
    ]


def test_promotes_what_it_must_not_no_more_often_than_alpha(at_the_threshold: list[Run]) -> None:
    proven = sum(run.proven or run.verdict == "pass" for run in at_the_threshold)
    assert proven <= Policy().alpha.promote * RUNS


def test_a_wilson_bound_at_the_same_looks_would(at_the_threshold: list[Run]) -> None:
    """The negative control: this harness can tell an unsound judge."""
    wrong = sum(run.wilson for run in at_the_threshold)
    low, _ = clopper_pearson_interval(wrong, RUNS)
    assert low > Policy().alpha.promote


def test_promotes_a_good_candidate_on_the_same_traffic() -> None:
    """The other negative control: a judge that promoted nothing would pass the first test."""
    runs = [
        simulate("exact_as_it_is", seed, max_pairs=20_000, records_per_cut=60) for seed in range(3)
    ]
    assert [run.verdict for run in runs] == ["pass"] * 3


def test_damage_brings_the_pool_exactly_to_where_it_is_wanted() -> None:
    pairs, rng = stored_pairs(), random.Random(1)
    to_match = Damage.to_exact_match(pairs, 0.75)
    to_f1 = Damage.to_span_f1(pairs, 0.92)
    drawn = [to_match.done_to(pair, rng).exact for pair in pairs for _ in range(5)]
    assert statistics.fmean(drawn) == pytest.approx(0.75, abs=0.005)
    drawn_f1 = [to_f1.done_to(pair, rng).f1 for pair in pairs for _ in range(5)]
    assert statistics.fmean(drawn_f1) == pytest.approx(0.92, abs=0.003)


def test_traffic_is_the_same_for_the_same_seed() -> None:
    pool = Pool(stored_pairs())

    def three(seed: int) -> list[object]:
        return [cut for cut, _ in zip(Traffic(pool, seed).cuts(), range(3), strict=False)]

    assert three(4) == three(4)
    assert three(4) != three(5)


def test_the_default_floors_lie_below_what_two_releases_agree_on() -> None:
    pairs, gates = stored_pairs(), Policy().gates
    for month in (1, 2):
        of_month = [pair for pair in pairs if pair.traffic == month]
        match = statistics.fmean(pair.exact for pair in of_month)
        assert gates.exact_match.min + 0.02 < match
        assert gates.span_f1.min + 0.01 < statistics.fmean(pair.f1 for pair in of_month)


@pytest.mark.parametrize("name", MACHINES)
def test_latency_gates_stop_a_slower_model_and_pass_the_same_one(name: str) -> None:
    machine, runs = MACHINES[name], 20
    stopped = sum(judged(machine, SLOWER, seed, 2000) == "stopped" for seed in range(runs))
    passed = sum(judged(machine, 1.0, seed, 4000) == "passed" for seed in range(runs))
    assert stopped >= 19
    assert passed >= 19
