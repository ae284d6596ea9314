"""The watch over the bake: quiet while all is well, and quick when it is not."""

from __future__ import annotations

import math
import random

import pytest

from contracts.policy import Policy
from rollout.evidence.outcomes import AddressOutcome
from rollout.judge import BakeWatch
from tests.unit.judge.evidence import addresses, policy


def test_a_good_candidate_bakes_in_peace() -> None:
    watch = BakeWatch(policy())
    for outcome in addresses(30_000, differing=0.07):
        watch.address(outcome)
    assert watch.alarm is None
    assert {result.status for result in watch.results} == {"undecided"}


def test_disagreement_that_sets_in_after_a_good_start_is_seen_within_a_few_hundred() -> None:
    draw = random.Random(5)
    watch = BakeWatch(policy())
    for outcome in addresses(30_000, differing=0.05):
        watch.address(outcome)
    seen = 0
    while watch.alarm is None:
        seen += 1
        watch.address(AddressOutcome(0, seen, 0, seen, "", draw.random() < 0.7, 0.9, False, False))
    assert seen < 600
    assert watch.alarm.name == "bake_exact_match"
    assert watch.alarm.status == "failed"
    assert "fallen below 90.00%" in watch.alarm.reason


def test_errors_of_the_candidate_alone_are_seen_and_shared_ones_are_not() -> None:
    watch = BakeWatch(policy())
    both = AddressOutcome(0, 0, 0, 0, "", None, None, candidate_error=True, reference_error=True)
    for _ in range(5000):
        watch.address(both)
    assert watch.alarm is None
    # One in five, each of them a disagreement too: agreement itself stays allowed.
    lenient = BakeWatch(policy(gates={"exact_match": {"min": 0.5}}))
    for outcome in addresses(2000, candidate_errors=0.2, differing=0.0):
        lenient.address(outcome)
    assert lenient.alarm is not None
    assert lenient.alarm.name == "bake_error_rate"


def test_the_first_alarm_stays() -> None:
    watch = BakeWatch(policy())
    for outcome in addresses(500, differing=1.0):
        watch.address(outcome)
    first = watch.alarm
    assert first is not None
    for outcome in addresses(20_000, differing=0.0):
        watch.address(outcome)
    assert watch.alarm == first


@pytest.mark.parametrize("rollback", [0.1, 0.001])
def test_the_threshold_is_what_the_policy_says(rollback: float) -> None:
    """Half of α for each of the two watches."""
    rules = Policy.model_validate({"alpha": {"rollback": rollback}, "bake": {"max_results": 5000}})
    assert BakeWatch(rules).log_e_needed == pytest.approx(math.log(2 * 5000 / rollback), abs=1e-5)


def test_false_alarms_are_rarer_than_promised() -> None:
    """At the very edge of what is allowed, with an α that a test can count."""
    rules = Policy.model_validate(
        {
            "gates": {"exact_match": {"min": 0.9}},
            "alpha": {"rollback": 0.2},
            "bake": {"max_results": 1000},
        }
    )
    draw = random.Random(11)
    alarms = 0
    for _ in range(200):
        watch = BakeWatch(rules)
        for index in range(1000):
            watch.address(
                AddressOutcome(0, index, 0, index, "", draw.random() < 0.9, 0.9, False, False)
            )
        alarms += watch.alarm is not None
    assert alarms <= 0.2 * 200
