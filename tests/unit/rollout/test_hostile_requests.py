"""Requests and policies that nobody sane would write: none of them stops the controller."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.errors import PermanentError
from contracts.policy import Policy
from contracts.requests import ReplayFrom, decode_request, encode_request
from rollout.asking import new_rollout_id
from rollout.controller.registering import longest_ms
from rollout.controller.requests import Asked, refuse_unjudged
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome, ParityOutcome
from rollout.judge import BakeWatch, Judge
from tests.properties.rollouts import CANDIDATE, Plane, spec
from tests.unit.judge.evidence import look


@pytest.mark.parametrize("since_ms", [10**15, 10**17, 10**300])
def test_a_replay_from_a_moment_beyond_every_calendar_is_no_request(since_ms: int) -> None:
    plane = Plane()
    begin = {"candidate": CANDIDATE.model_dump(), "policy": {}}
    begin["replay_from"] = {"asked": "some day", "since_ms": since_ms}
    request = plane.request("abort", "r-1").model_dump() | {"kind": "start", "start": begin}
    with pytest.raises(PermanentError) as caught:
        decode_request(json.dumps(request).encode())
    assert caught.value.code == "request_unreadable"


def test_the_last_moment_that_is_taken_is_one_that_a_clock_can_show() -> None:
    last = 253_402_214_400_000
    assert datetime.fromtimestamp(last / 1000, UTC).year == 9999
    assert ReplayFrom(asked="the end", since_ms=last).since_ms == last


def test_a_request_that_breaks_its_judge_is_refused_and_the_next_one_is_judged() -> None:
    plane = Plane()
    broken = plane.request("pause", "r-1")
    plan = refuse_unjudged(plane.state, Asked(0, broken), plane.now, "ZeroDivisionError")
    plane.write(plan)

    (entry,) = [record.request for record in plan.audit if record.request is not None]
    assert (entry.request_id, entry.accepted) == (broken.request_id, False)
    assert (entry.code, entry.message) == (
        "request_not_judged",
        "judging it failed: ZeroDivisionError",
    )
    assert plane.state.next_request_offset == 1
    assert plane.start() == (True, "")


SMALLEST, LARGEST = 1e-9, 1.0 - 1e-9

EXTREME: tuple[dict[str, Any], ...] = tuple(
    {
        "alpha": dict.fromkeys(("promote", "abort", "rollback"), rate),
        "aa": {"max": rate},
        "gates": {
            "exact_match": {"min": rate},
            "span_f1": {"min": rate},
            "error_rate": {"max_increase": 0.0},
            "latency_p99": {"max_ratio": ratio},
            "latency_ratio": {"max_ratio": ratio},
        },
        "slices": {"min_pairs": 20, "exact_match": {"min": rate}},
        "shadow": {"min_pairs": 1, "max_pairs": 100_000_000, "max_duration": "36500d"},
        "bake": {"max_results": 100_000_000, "max_error_rate": rate, "duration": "36500d"},
        "canary": {"steps": [{"share": 1e-300, "duration": "36500d", "min_results": 1}]},
    }
    for rate in (SMALLEST, LARGEST)
    for ratio in (0.01, 1e6)
)


@pytest.mark.parametrize("document", EXTREME)
def test_the_most_extreme_policies_are_judged(document: dict[str, Any]) -> None:
    policy = Policy.model_validate(document)
    for attempt in (1, 1000):
        judge, watch = Judge(policy, attempt=attempt, golden=None), BakeWatch(policy)
        judge.look(look())
        for number in range(700):
            exact, failed = number % 3 == 0, number % 5 == 0
            outcome = AddressOutcome(
                0, number, 0, number, "", exact, 1.0 if exact else 0.0, failed, not failed
            )
            judge.address(outcome)
            watch.address(outcome)
            order = "candidate_first" if number % 2 else "reference_first"
            judge.batch(BatchOutcome(f"b-{number}", 1, 1, order, 1e-6, 1e9))  # type: ignore[arg-type]
            judge.parity(ParityOutcome(number, exact))
        judge.look(look())
        assert watch.results
    assert longest_ms(policy, step_times=12.0) > 0


@pytest.mark.parametrize(
    "document",
    [
        {"alpha": {"promote": 5e-324}},
        {"gates": {"span_f1": {"min": 1e-320}}},
        {"gates": {"exact_match": {"min": 0.9999999999999999}}},
        {"gates": {"latency_ratio": {"max_ratio": 5e-324}}},
        {"bake": {"max_results": 10**300}},
        {"shadow": {"max_pairs": 10**12}},
        {
            "canary": {
                "steps": [
                    {"share": (n + 1) / 5000, "duration": "36500d", "min_results": 1}
                    for n in range(5000)
                ]
            }
        },
    ],
)
def test_numbers_that_no_judge_can_calculate_with_are_no_policy(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(document)


def test_the_same_weights_under_another_version_are_another_try_of_the_pair() -> None:
    """Else a candidate that fails could be added again under a new name, and test at all of α."""
    plane = Plane()
    plane.reach("SHADOWING")
    plane.verb("abort")
    renamed = CANDIDATE.model_copy(update={"version": "mgeo-made-v9-20260109"})
    assert plane.start("r-2", candidate=renamed) == (True, "")
    assert plane.rollout.attempt == 2

    plane.verb("abort")
    assert plane.start("r-3", candidate=spec(5)) == (True, "")
    assert plane.rollout.attempt == 1


@pytest.mark.parametrize(
    "rollout_id",
    [
        "",
        "r-1`</sub>\n\n@all **All gates passed**",
        "r-1\x1b[8m",
        "r-1\n",
        "../r-1",
        "r 1",
        "上线",
        "r" * 201,
    ],
)
def test_an_id_that_could_be_more_than_an_id_is_no_request(rollout_id: str) -> None:
    request = Plane().request("abort", "r-1").model_dump() | {"rollout_id": rollout_id}
    with pytest.raises(PermanentError) as caught:
        decode_request(json.dumps(request).encode())
    assert caught.value.code == "request_unreadable"


def test_every_id_that_a_command_makes_is_one() -> None:
    made = new_rollout_id(datetime(2026, 1, 2, tzinfo=UTC), "3fa2c1")
    for rollout_id in (made, "r-1", "A_b.c-9", "r" * 200):
        request = Plane().request("abort", rollout_id)
        assert decode_request(encode_request(request)) == request


@pytest.mark.parametrize("duration", ["0s", "0.4ms"])
@pytest.mark.parametrize(
    "document",
    [
        {"shadow": {"min_duration": "0s", "max_duration": ...}},
        {"shadow": {"stale_after": ...}},
        {"approval": {"valid_for": ...}},
        {"canary": {"steps": [{"share": 0.1, "duration": ..., "min_results": 1}]}},
        {"bake": {"duration": ...}},
    ],
)
def test_what_lasts_no_time_is_no_policy(document: dict[str, Any], duration: str) -> None:
    def filled(value: Any, text: str) -> Any:
        if isinstance(value, dict):
            return {name: filled(one, text) for name, one in value.items()}
        if isinstance(value, list):
            return [filled(one, text) for one in value]
        return text if value is ... else value

    with pytest.raises(ValidationError):
        Policy.model_validate(filled(document, duration))
    Policy.model_validate(filled(document, "1ms"))


def test_shadowing_need_not_last() -> None:
    assert not Policy.model_validate({"shadow": {"min_duration": "0s"}}).shadow.min_duration
