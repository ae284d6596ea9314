"""Two models against labels: paired figures that are right by hand, and intervals that cover."""

from __future__ import annotations

import json
import random
from typing import Any, ClassVar

import pytest
from scipy.stats import binomtest

from contracts.events import AddressResult
from rollout.golden import GoldenSet, Sensitivity, compare, measured, parse_golden, sensitivity
from rollout.stats.display import paired_bootstrap_interval
from tests.unit.rollout.golden_rows import generated, said


def golden_of(rows: list[dict[str, Any]]) -> GoldenSet:
    return parse_golden("\n".join(json.dumps(row) for row in rows), "g.jsonl")


ROWS = [row for row in generated(120) if len(row["components"]) == 4][:8]


def test_equal_models_have_no_difference_and_no_test() -> None:
    results = [said(row) for row in ROWS]
    outcome = compare(golden_of(ROWS), results, results).outcome
    assert (outcome.reference_f1, outcome.candidate_f1, outcome.mean_delta) == (1.0, 1.0, 0.0)
    assert outcome.interval == (0.0, 0.0)
    assert outcome.mcnemar_p is None


def test_the_figures_are_those_that_are_worked_out_by_hand() -> None:
    assert len(ROWS) == 8
    whole = [said(row) for row in ROWS]
    # Of four labelled spans three are found: F1 = 2·3 / (4 + 3).
    worse = [said(row, without=1) for row in ROWS[:2]] + whole[2:]
    found = compare(golden_of(ROWS), whole, worse)
    outcome = found.outcome
    assert outcome.candidate_f1 == pytest.approx((2 * 6 / 7 + 6) / 8)
    assert outcome.mean_delta == pytest.approx(-2 / 7 / 8)
    assert (outcome.only_reference_right, outcome.only_candidate_right) == (2, 0)
    assert outcome.mcnemar_p == pytest.approx(binomtest(0, 2, 0.5).pvalue)
    assert sum(one.reference.labelled for one in found.types) == 32
    assert sum(one.candidate.right for one in found.types) == 30
    assert found.deltas[:2] == (pytest.approx(6 / 7 - 1), pytest.approx(6 / 7 - 1))


def test_a_model_that_fails_an_address_loses_all_of_it() -> None:
    failed = AddressResult(id="#0", text=ROWS[0]["text"], status="error", error="model_error")
    whole = [said(row) for row in ROWS]
    outcome = compare(golden_of(ROWS), whole, [failed, *whole[1:]]).outcome
    assert outcome.mean_delta == pytest.approx(-1 / 8)


def test_rows_from_failures_change_no_gated_figure() -> None:
    whole = [said(row) for row in ROWS]
    rows = [*ROWS[:-1], {**ROWS[-1], "stratum": "failures"}]
    found = compare(golden_of(rows), whole, [*whole[:-1], said(ROWS[-1], without=2)])
    assert found.outcome.addresses == 7
    assert found.outcome.mean_delta == 0.0
    [stratum] = found.strata
    assert (stratum.stratum, stratum.addresses) == ("failures", 1)
    assert stratum.candidate_f1 < stratum.reference_f1 == 1.0


def test_a_set_without_a_gating_row_is_no_evidence() -> None:
    rows = [{**row, "stratum": "failures"} for row in ROWS]
    whole = [said(row) for row in ROWS]
    with pytest.raises(ValueError, match="no row"):
        compare(golden_of(rows), whole, whole)


class TestFlatLabels:
    row: ClassVar = {"text": "杭州市文一路", "address": {"city": "杭州市", "road": "文一路"}}

    def f1(self, address: dict[str, str], inferred: tuple[str, ...] = ()) -> float:
        result = said(self.row, address=address).model_copy(update={"inferred": inferred})
        golden = golden_of([self.row])
        return compare(golden, [result], [result]).outcome.candidate_f1

    def test_texts_are_compared_where_no_spans_are_labelled(self) -> None:
        assert self.f1({"city": "杭州市", "road": "文一路"}) == 1.0
        assert self.f1({"city": "杭州市"}) == pytest.approx(2 / 3)

    def test_what_the_gazetteer_completed_beyond_the_labels_is_no_fault(self) -> None:
        full = {"prov": "浙江省", "city": "杭州市", "road": "文一路"}
        assert self.f1(full, inferred=("prov",)) == 1.0
        assert self.f1(full) == pytest.approx(4 / 5)

    def test_what_it_completed_and_is_labelled_counts(self) -> None:
        assert self.f1({"city": "宁波市", "road": "文一路"}, inferred=("city",)) == 0.5


class TestSensitivity:
    def test_the_margin_of_the_notes_needs_some_46_000_labels(self) -> None:
        # Whole addresses right or wrong, 3 % unlike, one-sided 5 %, 80 % power: the fall that is
        # told from zero is (1.645 + 0.842)·sqrt(0.03/n).
        at = sensitivity(46_000, Sensitivity(0.03, 1.0), min_delta=-0.001328)
        assert at.detects == pytest.approx(0.002, rel=0.01)
        assert at.fails_equal == pytest.approx(0.05, abs=0.002)

    @pytest.mark.parametrize(("size", "seed"), [(400, 1), (2000, 2)])
    def test_the_fall_it_names_really_fails_in_eight_of_ten_sets(
        self, size: int, seed: int
    ) -> None:
        assumed = Sensitivity(0.2, 0.5)
        fall = sensitivity(size, assumed, min_delta=-0.002).detects
        assert fall is not None
        draw = random.Random(seed)
        # Discordant addresses gain or lose 0.5; losing is likelier by what makes the mean fall.
        losing = 0.5 + fall / (2 * 0.2 * 0.5)
        failed = 0
        for _ in range(1000):
            total = 0.0
            for _ in range(size):
                if draw.random() < 0.2:
                    total += -0.5 if draw.random() < losing else 0.5
            failed += total / size < -0.002
        assert 0.76 < failed / 1000 < 0.86

    def test_a_fall_beyond_what_can_be_lost_is_not_named(self) -> None:
        assert sensitivity(1, Sensitivity(0.01, 0.5), min_delta=-0.5).detects is None

    def test_what_was_measured_is_what_was_drawn(self) -> None:
        deltas = [0.5, -0.5, 0.0, 0.0]
        assert measured(deltas) == Sensitivity(0.5, 0.5)
        assert measured([0.0]) is None


def test_the_bootstrap_interval_covers_the_true_mean_nineteen_times_in_twenty() -> None:
    draw = random.Random(3)
    covered = 0
    for trial in range(200):
        deltas = [draw.choice((0.0, 0.0, 0.3, -0.2)) for _ in range(150)]
        low, high = paired_bootstrap_interval(deltas, seed=trial, resamples=400)
        covered += low <= 0.025 <= high
    assert covered >= 180
