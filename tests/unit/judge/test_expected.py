"""What ``policy --explain`` promises is about what comes."""

from __future__ import annotations

import random
import statistics

import pytest

from rollout.evidence.outcomes import AddressOutcome
from rollout.judge import ExpectedDecision, Judge, expected_decision
from tests.unit.judge.evidence import look, policy


def expected(**rates: float) -> dict[str, ExpectedDecision]:
    rates = {"exact_match": 0.93, "span_f1": 0.97, **rates}
    return {one.gate: one for one in expected_decision(policy(), **rates)}


def test_a_good_candidate_will_pass_every_gate_and_fail_none() -> None:
    for one in expected().values():
        assert one.pass_n is not None, one.gate
        assert one.fail_n is None, one.gate
        assert one.note


def test_a_bad_candidate_will_be_stopped_and_never_proven() -> None:
    gates = expected(
        exact_match=0.7,
        span_f1=0.9,
        error_increase=0.02,
        slow_batches=0.05,
        latency_ratio=1.3,
        disagreement=0.03,
    )
    for one in gates.values():
        assert one.pass_n is None, one.gate
        if one.gate not in ("exact_match", "span_f1", "aa"):
            assert one.fail_n is not None, one.gate


def test_nearer_to_the_threshold_takes_longer() -> None:
    needs = [expected(exact_match=p)["exact_match"].pass_n for p in (0.91, 0.92, 0.94)]
    assert needs == sorted(needs, reverse=True)


def test_the_promise_is_near_the_median_of_what_comes() -> None:
    promised = expected(exact_match=0.92, span_f1=0.98)["exact_match"].pass_n
    assert promised is not None
    needed = []
    for seed in range(15):
        draw, judge, n = random.Random(seed), Judge(policy(), attempt=1, golden=None), 0
        while "exact_match" not in judge.look(look()).proven:
            for _ in range(100):
                n += 1
                exact = draw.random() < 0.92
                judge.address(AddressOutcome(0, n, 0, n, "", exact, 0.98, False, False))
        needed.append(n)
    assert statistics.median(needed) == pytest.approx(promised, rel=0.5)
