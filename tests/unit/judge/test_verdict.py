"""Which of several possible verdicts is said."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.judgement import GateResult
from rollout.judge.progress import Progress
from rollout.judge.verdict import Facts, verdict
from tests.unit.judge.evidence import (
    HOUR_MS,
    addresses,
    batches,
    golden,
    judge,
    look,
    parities,
    policy,
)

DAY_MS = 24 * HOUR_MS
HARMED = {"people": addresses(2000, differing=0.6)}
NOISY = {"instrument": parities(2000, differing=0.05)}
UNPROVEN = {"people": addresses(60)}
GOOD: dict[str, Any] = {}
EXPIRED = {"expired": (2,)}
UP = {"elapsed_ms": DAY_MS}
OLD = {"now_ms": 3 * HOUR_MS}
EMPTY = {
    "accounting": dict.fromkeys(
        ("sampled", "paired", "addresses", "distinct", "partitions_with_traffic"), 0
    )
    | {"partitions_with_pairs": 0, "oldest_input_ms": None, "newest_input_ms": None}
}
NOTHING: dict[str, Any] = {"people": [], "devices": [], "instrument": []}


@pytest.mark.parametrize(
    ("evidence", "at", "said"),
    [
        # Harm that was proven comes before everything.
        (HARMED, {**EXPIRED, **UP, **OLD}, ("fail", "gate_failed")),
        ({**HARMED, **NOISY}, {}, ("fail", "gate_failed")),
        ({**HARMED, "labelled": golden(-0.1)}, {}, ("fail", "gate_failed")),
        ({**NOTHING, "labelled": golden(-0.1)}, EMPTY, ("fail", "golden_failed")),
        # Then what cannot be mended by waiting.
        (GOOD, EXPIRED, ("inconclusive", "evidence_expired")),
        (NOISY, EXPIRED, ("inconclusive", "evidence_expired")),
        (NOISY, {}, ("inconclusive", "noisy_instrument")),
        (NOISY, OLD, ("inconclusive", "noisy_instrument")),
        # No data, also when time is up.
        (NOTHING, {**EMPTY, "input_records": 0}, ("no_data", "no_traffic")),
        (NOTHING, {**EMPTY, "input_records": 0, **UP}, ("no_data", "no_traffic")),
        (NOTHING, {**EMPTY, "input_records": 9}, ("no_data", "no_traffic")),
        (
            NOTHING,
            {"accounting": {**EMPTY["accounting"], "sampled": 4, "unreadable": 4}},
            ("no_data", "no_traffic"),
        ),
        (NOTHING, {**EMPTY, "lag_records": 500}, ("no_data", "shadow_silent")),
        (NOTHING, {**EMPTY, "lag_records": 500, **UP}, ("no_data", "shadow_silent")),
        # Stale evidence is never passed on, however good it was.
        (GOOD, OLD, ("stale", "stale_evidence")),
        (GOOD, {**OLD, **UP, "elapsed_ms": DAY_MS}, ("stale", "stale_evidence")),
        # A replay's input is old by nature.
        (GOOD, {**OLD, "replaying": True}, ("pass", "all_gates_passed")),
        # A pass, also at the last moment.
        (GOOD, {}, ("pass", "all_gates_passed")),
        (GOOD, {**UP, "now_ms": 2 * HOUR_MS}, ("pass", "all_gates_passed")),
        # Limits.
        (UNPROVEN, UP, ("inconclusive", "too_few_pairs")),
        ({"people": addresses(3000, differing=0.11)}, UP, ("inconclusive", "undecided_at_max")),
        ({"devices": batches(300)}, UP, ("inconclusive", "undecided_at_max")),
        ({"instrument": parities(300)}, UP, ("inconclusive", "noisy_instrument")),
        (
            {"people": addresses(3000, differing=0.11)},
            {**UP, "replaying": True, "lag_records": 50},
            ("inconclusive", "shadow_too_slow"),
        ),
        # Otherwise wait.
        (UNPROVEN, {}, ("continue", "still_collecting")),
    ],
)
def test_the_order_of_verdicts(
    evidence: dict[str, Any], at: dict[str, Any], said: tuple[str, str]
) -> None:
    judgement = judge(**evidence).look(look(**at))
    assert (judgement.verdict, judgement.code) == said
    assert judgement.reason


def test_gates_that_are_full_and_undecided_end_it_before_time() -> None:
    rules = policy(shadow={"max_pairs": 3000})
    said = judge(rules, people=addresses(3000, differing=0.11)).look(look())
    assert (said.verdict, said.code) == ("inconclusive", "undecided_at_max")


def test_full_gates_that_are_proven_wait_for_the_others() -> None:
    rules = policy(shadow={"max_pairs": 3000})
    said = judge(rules, people=addresses(3000), devices=batches(300)).look(look())
    assert (said.verdict, said.code) == ("continue", "still_collecting")


@pytest.mark.parametrize(
    "short",
    [
        {"accounting": {"partitions_with_pairs": 3}},
        {"elapsed_ms": HOUR_MS // 2},
        {
            "elapsed_ms": HOUR_MS // 2,
            "of_the_past": True,
            "accounting": {"oldest_input_ms": 2 * HOUR_MS - 60_000},
        },
    ],
)
def test_evidence_of_too_few_partitions_or_minutes_does_not_pass(short: dict[str, Any]) -> None:
    assert judge().look(look(**short)).verdict == "continue"


def test_a_replay_of_hours_counts_as_hours_though_it_ran_for_minutes() -> None:
    assert judge().look(look(elapsed_ms=60_000, of_the_past=True)).verdict == "pass"


def test_live_traffic_counts_by_the_time_of_shadowing_alone() -> None:
    """Its own times go on in a pause, and one record with an old one would be years."""
    assert judge().look(look(elapsed_ms=HOUR_MS // 2)).verdict == "continue"


def test_too_few_distinct_addresses_do_not_pass_though_all_is_proven() -> None:
    said = judge(people=addresses(1500)).look(look())
    assert said.proven == ("exact_match", "span_f1")
    assert said.verdict == "continue"
    assert "1,500 of 2,000 distinct addresses" in said.reason


def test_a_missing_gate_is_never_a_pass() -> None:
    rules, good = policy(), judge().look(look())
    for left_out in (*good.gates, None):
        gates = [g for g in good.gates if g is not left_out and left_out is not None]
        if left_out is not None and left_out.name.startswith("slice:"):
            continue  # which slices there are depends on the traffic
        said = verdict(rules, _facts(gates))
        assert said.verdict != "pass", left_out


def test_an_undecided_gate_of_any_kind_is_never_a_pass() -> None:
    rules, good = policy(), judge(labelled=golden()).look(look())
    for index in range(len(good.gates)):
        gates = list(good.gates)
        gates[index] = gates[index].model_copy(update={"status": "undecided"})
        assert verdict(rules, _facts(gates)).verdict != "pass"
    assert verdict(rules, _facts(list(good.gates))).verdict == "pass"


def _facts(gates: list[GateResult]) -> Facts:
    return Facts(look(), gates, 5000, (), full=False, progress=Progress(True, 0.0))


@pytest.mark.parametrize(
    ("passed_per_hour", "code"),
    [(0, "stale_evidence"), (1000, "shadow_too_slow"), (9000, "stale_evidence")],
)
def test_a_shadow_that_will_not_catch_up_is_told_from_one_that_is_down(
    passed_per_hour: int, code: str
) -> None:
    """1,000 records come an hour, 60,000 wait, 22 hours are left."""
    judged = judge(policy(shadow={"stale_after": "1h"}))
    judged.look(look(input_records=70_000, lag_records=60_000))
    lag = 60_000 + 1000 - passed_per_hour
    said = judged.look(
        look(
            input_records=71_000,
            lag_records=lag,
            elapsed_ms=3 * HOUR_MS,
            now_ms=3 * HOUR_MS + 600_000,
        )
    )
    assert (said.verdict, said.code) == ("stale", code)


def test_a_shadow_that_fell_behind_for_good_ends_as_too_slow() -> None:
    judged = judge(policy(shadow={"stale_after": "1h"}))
    judged.look(look(input_records=70_000, lag_records=60_000, elapsed_ms=DAY_MS - HOUR_MS))
    said = judged.look(
        look(input_records=71_000, lag_records=60_500, elapsed_ms=DAY_MS, now_ms=9 * HOUR_MS)
    )
    assert (said.verdict, said.code) == ("inconclusive", "shadow_too_slow")
