"""Simulated rollouts outlive the process that ran them, and only under what they ran under."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.kept_runs import KeptRuns

HERE, THERE = {"max_pairs": 10}, {"max_pairs": 20}
COLUMNS = ("scenario", "seed", "verdict")


def row(scenario: str, seed: int, verdict: str = "pass") -> dict[str, Any]:
    return {"scenario": scenario, "seed": seed, "verdict": verdict}


def keep(path: Path, scenario: str, conditions: dict[str, int], *seeds: int) -> None:
    kept = KeptRuns(path, {scenario: conditions})
    kept.add(row(scenario, seed) for seed in seeds)
    kept.write({"figures": 1}, COLUMNS)


def test_what_ran_is_found_again_in_the_order_of_its_seeds(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    keep(path, "power", HERE, 3, 1)
    keep(path, "power", HERE, 2)
    again = KeptRuns(path, {"power": HERE})
    assert again.seeds("power") == {1, 2, 3}
    assert again.rows("power") == [row("power", seed) for seed in (1, 2, 3)]


def test_another_scenario_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    keep(path, "null", HERE, 1, 2)
    keep(path, "power", THERE, 7)
    again = KeptRuns(path, {"null": HERE, "power": THERE})
    assert again.seeds("null") == {1, 2}
    assert again.seeds("power") == {7}


def test_runs_under_other_conditions_count_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    keep(path, "power", HERE, 1)
    assert KeptRuns(path, {"power": THERE}).seeds("power") == set()


def test_a_run_made_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    keep(path, "power", HERE, 1)
    kept = KeptRuns(path, {"power": HERE})
    kept.add([row("power", 1, "fail")])
    kept.write({}, COLUMNS)
    assert KeptRuns(path, {"power": HERE}).rows("power") == [row("power", 1, "fail")]
