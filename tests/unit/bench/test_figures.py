"""The bench's arithmetic, and what its ceiling may not stand on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.bench.addresses import distinct_addresses
from deploy.bench.figures import Commit, drain_rate, figure, percentile, slope_per_minute
from deploy.bench.plain_loop import token_budgets
from deploy.bench.report import rows, targets
from deploy.bench.sections import summarise_throughput

ROOT = Path(__file__).parents[3]


def turn(ceiling: float, exact: float, least: float) -> dict[str, object]:
    """One repetition with the given rates, the ceiling's at 1024 tokens."""
    return {
        "ceiling_addresses": 100,
        "ceiling": [
            {"token_budget": budget, "seconds": 100 / ceiling * (1 if budget == 1024 else 2)}
            for budget in token_budgets("cpu")
        ],
        "exactly_once": {"addresses_per_s": exact, "padding_waste": 0.05, "batch_fill": 0.9},
        "at_least_once": {"addresses_per_s": least},
    }


def test_a_rate_counts_from_the_first_arrival_to_the_last_commit() -> None:
    commits = [Commit(3_000, 30), Commit(2_000, 50), Commit(5_000, 20)]
    assert drain_rate(1_000.0, commits) == pytest.approx(25.0)


def test_no_rate_without_a_commit() -> None:
    with pytest.raises(ValueError, match="nothing was committed"):
        drain_rate(0.0, [])


def test_a_figure_is_the_median_with_its_spread() -> None:
    one = figure([5.0, 1.0, 3.0])
    assert (one.median, one.low, one.high) == (3.0, 1.0, 5.0)


def test_a_percentile_is_taken_over_all_values() -> None:
    assert percentile([float(value) for value in range(101)], 0.99) == pytest.approx(99.0)


def test_a_slope_is_per_minute() -> None:
    assert slope_per_minute([0.0, 30.0, 60.0], [100.0, 105.0, 110.0]) == pytest.approx(10.0)


def test_ratios_are_taken_within_each_turn() -> None:
    # The machine slowed down between the turns; within each, the stream kept nine tenths.
    summary = summarise_throughput([turn(1000, 900, 950), turn(500, 450, 475)])
    assert summary["ceiling_token_budget"] == 1024
    assert summary["ratio_to_ceiling"]["low"] == pytest.approx(0.9)
    assert summary["ratio_to_ceiling"]["high"] == pytest.approx(0.9)
    assert summary["price_of_exactly_once"]["median"] == pytest.approx(1 - 900 / 950)


@pytest.mark.parametrize(("exact", "met"), [(660.0, True), (640.0, False)])
def test_a_target_is_met_or_missed(exact: float, met: bool) -> None:
    sections = {
        "throughput": {"starter": {"summary": summarise_throughput([turn(1000, exact, exact)])}}
    }
    ratio, price = targets(sections)
    assert (ratio.name, ratio.met) == ("ratio to the ceiling, starter", met)
    assert price.met


def test_every_figure_has_a_row() -> None:
    sections = {
        "throughput": {"starter": {"summary": summarise_throughput([turn(1000, 900, 950)])}}
    }
    shown = list(rows(sections))
    assert shown[0][0] == "starter: ceiling, 1024 tokens a batch"
    assert shown[3][1] == "0.900"


def test_addresses_are_distinct_and_the_same_for_the_same_seed() -> None:
    texts = list(distinct_addresses(3000, 7))
    assert len(set(texts)) == 3000
    assert texts == list(distinct_addresses(3000, 7))
    assert texts[:100] != list(distinct_addresses(100, 8))
    lengths = [len(text) for text in texts]
    assert 18 <= sum(lengths) / len(lengths) <= 32


def test_the_ceiling_stands_on_nothing_of_the_engine() -> None:
    code = (
        "import deploy.bench.ceiling as c, json, sys, torch, transformers, tokenizers; "
        "print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded.isdisjoint({"consumer", "producer", "contracts", "rollout", "aiokafka"})
