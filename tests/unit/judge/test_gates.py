"""Every gate has evidence on which it passes, stops the rollout, and says nothing yet."""

from __future__ import annotations

import math

import pytest

from contracts.judgement import GateResult, Judgement
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome
from rollout.judge import Judge
from rollout.judge.budget import GUARDS, ErrorBudget
from tests.unit.judge.evidence import (
    addresses,
    batches,
    golden,
    judge,
    look,
    parities,
    policy,
)


def gate(judged: Judge, name: str) -> GateResult:
    found = judged.look(look()).gate(name)
    assert found is not None, name
    return found


def test_good_evidence_passes_every_gate() -> None:
    said = judge(labelled=golden()).look(look())
    assert (said.verdict, said.code) == ("pass", "all_gates_passed")
    assert {g.status for g in said.gates} == {"passed"}
    assert said.proven == ("exact_match", "span_f1")
    assert said.harmed == ()


@pytest.mark.parametrize(
    ("name", "judged"),
    [
        ("harm_exact_match", judge(people=addresses(5000, differing=0.15, f1=0.99))),
        ("harm_span_f1", judge(people=addresses(5000, differing=0.09, f1=0.1))),
        ("error_rate", judge(people=addresses(5000, candidate_errors=0.02, differing=0))),
        ("latency_p99", judge(devices=batches(1600, slow=0.08))),
        ("latency_ratio", judge(devices=batches(1600, ratio=1.25))),
        ("golden", judge(labelled=golden(delta=-0.01))),
    ],
)
def test_harm_stops_the_rollout_and_names_its_gate(name: str, judged: Judge) -> None:
    said = judged.look(look())
    failed = {g.name for g in said.gates if g.status == "failed"}
    assert name in failed
    assert said.verdict == "fail"
    assert said.code == ("golden_failed" if name == "golden" else "gate_failed")
    assert name in said.reason


@pytest.mark.parametrize(
    ("name", "judged", "words"),
    [
        ("exact_match", judge(people=addresses(60)), "not proven yet"),
        ("span_f1", judge(people=addresses(60)), "not proven yet"),
        ("exact_match", judge(people=addresses(1000, differing=0.11)), "below the 90.00%"),
        ("harm_exact_match", judge(people=addresses(1000)), "2,000 are needed"),
        ("harm_exact_match", judge(people=addresses(3000, differing=0.11)), "chance may explain"),
        ("harm_span_f1", judge(people=addresses(1000)), "2,000 are needed"),
        ("error_rate", judge(people=addresses(1000)), "2,000 are needed"),
        (
            "error_rate",
            judge(people=addresses(3000, candidate_errors=0.0015)),
            "chance may explain",
        ),
        ("latency_p99", judge(devices=batches(700)), "400 are needed"),
        ("latency_ratio", judge(devices=batches(150)), "200 are needed"),
        ("aa", judge(instrument=parities(300)), "not proven yet"),
        ("golden", judge(labelled=golden(count=200)), "500 labelled addresses are needed"),
    ],
)
def test_a_gate_that_saw_too_little_is_undecided_and_says_so(
    name: str, judged: Judge, words: str
) -> None:
    result = gate(judged, name)
    assert result.status == "undecided"
    assert words in result.reason
    assert judged.look(look()).verdict in ("continue", "inconclusive")


@pytest.mark.parametrize(
    "name",
    [
        *("exact_match", "span_f1", "harm_exact_match", "harm_span_f1", "error_rate"),
        *("latency_p99", "latency_ratio", "aa"),
    ],
)
def test_without_any_evidence_no_gate_has_passed(name: str) -> None:
    nothing = judge(people=[], devices=[], instrument=[])
    result = gate(nothing, name)
    assert (result.status, result.value, result.n) == ("undecided", None, 0)
    assert nothing.look(look()).verdict != "pass"


def test_every_decided_gate_gives_all_its_figures() -> None:
    for result in judge().look(look()).gates:
        assert result.reason
        assert result.threshold is not None
        if result.kind != "golden":
            assert result.value is not None
            assert result.bound is not None
            assert result.log_e is not None
            assert result.log_e_needed is not None
            assert str(f"{result.n:,}") in result.reason


def test_a_proof_is_for_good_but_the_value_of_the_day_counts_too() -> None:
    judged = judge(people=addresses(2500, differing=0.02))
    assert judged.look(look()).proven == ("exact_match", "span_f1")
    for outcome in addresses(700, differing=0.5, start=2500):
        judged.address(outcome)
    said = judged.look(look())
    assert said.proven == ("exact_match", "span_f1")
    assert gate(judged, "exact_match").status == "undecided"
    assert "was proven" in gate(judged, "exact_match").reason
    assert said.verdict != "pass"


def test_proven_harm_is_for_good() -> None:
    judged = judge(people=addresses(2000, differing=0.6))
    assert judged.look(look()).verdict == "fail"
    for outcome in addresses(20_000, differing=0.0, start=2000):
        judged.address(outcome)
    said = judged.look(look())
    assert "harm_exact_match" in said.harmed
    assert said.verdict == "fail"


def test_a_hard_burst_at_the_start_is_no_harm_while_it_may_be_one() -> None:
    judged = judge(people=addresses(300, differing=0.6, f1=0.1))
    said = judged.look(look())
    assert not {"harm_exact_match", "harm_span_f1"} & set(said.harmed)
    for outcome in addresses(20_000, differing=0.0, start=300):
        judged.address(outcome)
    assert judged.look(look()).harmed == ()


def test_a_candidate_that_fails_is_stopped_long_before_the_gates_own_n() -> None:
    said = judge(people=addresses(400, candidate_errors=0.5, differing=0)).look(look())
    assert "error_rate" in said.harmed
    assert said.verdict == "fail"


def test_harm_between_two_looks_that_is_gone_at_the_second_was_not_seen() -> None:
    """Gates look at cuts, so that a verdict is a function of the recorded cuts alone."""
    looked, unlooked = (judge(people=addresses(2000, differing=0.6)) for _ in range(2))
    looked.look(look())
    for judged in (looked, unlooked):
        for outcome in addresses(20_000, differing=0.0, start=2000):
            judged.address(outcome)
    assert looked.look(look()).verdict == "fail"
    assert unlooked.look(look()).verdict == "pass"


def test_an_error_of_the_reference_says_nothing_about_agreement() -> None:
    judged = judge(people=addresses(4000, reference_errors=0.25, differing=0.0))
    assert gate(judged, "exact_match").n == 3000
    assert gate(judged, "span_f1").n == 3000
    assert gate(judged, "error_rate").n == 4000
    assert gate(judged, "error_rate").value == -0.25


def test_errors_that_both_models_make_are_no_harm() -> None:
    both = [
        AddressOutcome(0, i, 0, i, "", None, None, candidate_error=True, reference_error=True)
        for i in range(3000)
    ]
    assert gate(judge(people=both), "error_rate").value == 0.0


def test_a_broken_slice_stops_the_rollout_though_the_whole_looks_well() -> None:
    people = addresses(6000, differing=0.0, slices=["浙江省"])
    people += addresses(400, differing=0.5, f1=0.9, slices=["西藏自治区"], start=6000)
    said = judge(people=people).look(look())
    assert said.verdict == "fail"
    assert said.harmed == ("slice:prov=西藏自治区",)
    whole = said.gate("exact_match")
    assert whole is not None
    assert whole.status == "passed"


def test_a_thin_slice_is_listed_with_its_share_and_judges_nothing() -> None:
    people = addresses(4850, differing=0.0) + addresses(
        150, differing=1.0, slices=["海南省"], start=4850
    )
    judged = judge(people=people)
    result = gate(judged, "slice:prov=海南省")
    assert result.status == "unjudged"
    assert "3.00% of all" in result.reason
    assert judged.look(look()).verdict == "pass"


def test_a_policy_may_want_every_slice_judged() -> None:
    people = addresses(5000) + addresses(10, slices=["海南省"], start=5000)
    judged = judge(policy(slices={"when_thin": "inconclusive"}), people=people)
    assert judged.look(look()).verdict == "continue"
    said = judged.look(look(elapsed_ms=25 * 3_600_000))
    assert (said.verdict, said.code) == ("inconclusive", "thin_slice")


def test_a_policy_may_ask_for_no_slices() -> None:
    said = judge(policy(slices={"by": [], "when_thin": "inconclusive"})).look(look())
    assert not [g for g in said.gates if g.name.startswith("slice:")]
    assert said.verdict == "pass"


def test_no_more_slices_are_judged_than_error_probability_was_set_aside_for() -> None:
    names = [f"省{i}" for i in range(60)]
    said = judge(people=addresses(60 * 300, slices=names)).look(look())
    slices = [g for g in said.gates if g.name.startswith("slice:")]
    judged = [g for g in slices if g.status == "passed"]
    assert len(judged) == 35
    assert all("places" in g.reason for g in slices if g.status == "unjudged")
    others = [g for g in said.gates if g.kind == "guard" and not g.name.startswith("slice:")]
    assert len(judged) + len(others) == GUARDS


def test_ever_new_slices_do_not_fill_the_memory() -> None:
    judged = judge(people=addresses(5000, slices=[f"省{i}" for i in range(5000)]))
    said = judged.look(look())
    assert len(said.gates) < 120
    assert gate(judged, "slice:prov=*").n > 4000


@pytest.mark.parametrize("first", ["candidate_first", "reference_first"])
def test_running_second_is_no_merit(first: str) -> None:
    """A model that gains 20 % by running second is neither stopped nor passed for that."""
    fair = []
    for batch in batches(1600):
        gain = 0.8 if batch.order == first else 1.0
        fair.append(
            BatchOutcome(
                batch.batch_id, 20, 500, batch.order, batch.candidate_ms * gain, batch.reference_ms
            )
        )
    result = gate(judge(devices=fair), "latency_ratio")
    assert result.value == pytest.approx(math.sqrt(0.8), abs=0.02)


def test_load_that_comes_after_the_limit_was_set_blames_nobody() -> None:
    loaded = batches(400) + [
        BatchOutcome(b.batch_id, 20, 500, b.order, b.candidate_ms * 3, b.reference_ms * 3)
        for b in batches(1200)
    ]
    result = gate(judge(devices=loaded), "latency_p99")
    assert (result.status, result.value) == ("passed", 0.0)


@pytest.mark.parametrize("broken", [0.0, -1.0, math.nan, math.inf])
def test_a_batch_without_two_times_is_no_evidence(broken: float) -> None:
    devices = [BatchOutcome("b", 20, 500, "candidate_first", broken, 8.0)] * 4000
    judged = judge(devices=devices)
    assert gate(judged, "latency_ratio").n == 0
    assert judged.look(look()).verdict == "continue"


@pytest.mark.parametrize("broken", [math.nan, -0.1, 1.1])
def test_an_f1_that_is_none_is_refused(broken: float) -> None:
    judged = judge(people=[])
    with pytest.raises(ValueError, match="not within"):
        judged.address(AddressOutcome(0, 0, 0, 0, "", True, broken, False, False))
    assert judged.units == 0


def test_gates_take_no_more_than_max_pairs() -> None:
    rules = policy(shadow={"min_pairs": 100, "max_pairs": 3000})
    judged = judge(rules, people=addresses(3000))
    before = judged.look(look())
    for outcome in addresses(5000, differing=1.0, start=3000):
        judged.address(outcome)
    assert judged.full
    assert judged.look(look()) == before


def test_a_later_try_needs_more_evidence() -> None:
    needed = []
    for attempt in (1, 2, 5):
        result = judge(attempt=attempt).look(look()).gate("exact_match")
        assert result is not None
        needed.append(result.log_e_needed)
    assert needed == pytest.approx([math.log(k * (k + 1) / 0.05) for k in (1, 2, 5)], abs=1e-5)


def test_all_tries_together_spend_no_more_than_alpha() -> None:
    alpha = policy().alpha
    spent = sum(ErrorBudget.of(alpha, k).promote for k in range(1, 10_000))
    assert 0.99 * alpha.promote < spent <= alpha.promote
    assert ErrorBudget.of(alpha, 9).guard * GUARDS == pytest.approx(alpha.abort)
    with pytest.raises(ValueError, match="from 1"):
        ErrorBudget.of(alpha, 0)


def test_the_same_evidence_in_other_blocks_gives_the_same_judgement() -> None:
    def fed(sizes: list[int]) -> Judgement:
        judged = judge(people=[], devices=[], instrument=[])
        people, devices, instrument = addresses(4000), batches(1500), parities(1500)
        for size in sizes:
            for _ in range(size):
                if people:
                    judged.address(people.pop(0))
                if devices:
                    judged.batch(devices.pop(0))
                if instrument:
                    judged.parity(instrument.pop(0))
        return judged.look(look())

    assert fed([4000]) == fed([1] * 4000) == fed([7, 93, 1900, 2000])


def test_a_golden_set_is_judged_where_the_policy_names_one() -> None:
    assert gate(judge(), "golden").status == "not_configured"
    for section in ({"path": "golden.jsonl"}, {"required": True}):
        said = judge(policy(golden=section)).look(look())
        assert (said.verdict, said.code) == ("inconclusive", "golden_missing")
    waived = judge(policy(golden={"path": "golden.jsonl", "required": False}))
    assert gate(waived, "golden").status == "not_configured"
