"""What holds a pipeline up: a figure that is worse in all repetitions, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.bench.figures import figure
from deploy.bench.regression import compare
from deploy.cli.boundary import run

ROOT = Path(__file__).parents[3]
IDLE = ROOT / "benchmarks" / "cpu-2-cores.json"
BUSY = ROOT / "benchmarks" / "cpu-2-cores-busy.json"

rates = st.floats(1.0, 1e6)


def document(
    *rates: float, ratio: float = 0.8, p99_s: float = 0.3, processor: str = "A", digest: str = "x"
) -> dict[str, Any]:
    """A run of the bench with these rates, one a repetition."""
    model = {"digest": digest, "precision": "fp32"}
    summed, ratios = figure(rates), figure([ratio])
    return {
        "format": 1,
        "machine": {"processor": processor, "cores": 2, "gpu": None},
        "sections": {
            "throughput": {
                "starter": {
                    "model": model,
                    "summary": {
                        "exactly_once": vars_of(summed),
                        "ratio_to_ceiling": vars_of(ratios),
                    },
                }
            },
            "latency": {"starter": {"model": model, "summary": {"p99_s": p99_s}}},
        },
    }


def vars_of(one: Any) -> dict[str, float]:
    return {"median": one.median, "low": one.low, "high": one.high}


def worse(measured: dict[str, Any], baseline: dict[str, Any], by: float = 0.15) -> list[str]:
    return [one.name for one in compare(measured, baseline).regressions(by)]


@given(st.lists(rates, min_size=1, max_size=5))
def test_a_run_is_never_worse_than_itself(found: list[float]) -> None:
    assert worse(document(*found), document(*found), by=0.0) == []


@given(st.lists(rates, min_size=1, max_size=5), st.floats(0.0, 0.9), st.floats(0.0, 0.9))
def test_a_slowdown_of_every_repetition_shows_exactly_above_the_threshold(
    found: list[float], slower: float, allowed: float
) -> None:
    middle = figure(found).median
    now = document(*(middle * (1 - slower) for _ in found))
    if abs(slower - allowed) > 1e-9:
        shown = worse(now, document(*found), by=allowed)
        assert shown == (["starter exactly once, addresses/s"] if slower > allowed else [])


def test_one_disturbed_repetition_is_no_regression() -> None:
    assert worse(document(1000, 400, 300), document(1000, 1000, 1000)) == []


def test_latency_is_worse_where_it_grows() -> None:
    assert worse(document(100, p99_s=0.4), document(100, p99_s=0.3)) == ["starter latency P99, s"]
    assert worse(document(100, p99_s=0.2), document(100, p99_s=0.3)) == []


def test_on_another_machine_only_ratios_are_judged() -> None:
    found = compare(document(100, processor="B"), document(1000, processor="A"))
    assert [one.name for one in found.judged] == ["starter exactly once over ceiling"]
    assert {one.held_back for one in found.figures} == {None, "another machine"}
    assert worse(document(1, ratio=0.5, processor="B"), document(1, ratio=0.8)) == [
        "starter exactly once over ceiling"
    ]


def test_another_model_is_not_judged() -> None:
    assert compare(document(100, digest="y"), document(1000, digest="x")).judged == ()


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(["bench", *arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_a_busy_machine_is_a_regression_and_an_idle_one_is_none(
    bench: Callable[..., tuple[int, str, str]],
) -> None:
    """Two real runs: what the pipeline would have said."""
    code, out, err = bench("--measured", str(BUSY), "--against", str(IDLE), "--output", "json")
    regressed = [one["name"] for one in json.loads(out)["figures"] if one["regressed"]]
    assert (code, regressed) == (1, ["starter exactly once, addresses/s"])
    assert "1 of 2 figures are worse" in err
    allowed = ("--max-regression", "0.6")
    assert bench("--measured", str(BUSY), "--against", str(IDLE), *allowed)[0] == 0
    assert bench("--measured", str(IDLE), "--against", str(BUSY))[0] == 0


def test_nothing_to_compare_is_not_passed(
    bench: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    other = copy.deepcopy(json.loads(IDLE.read_text()))
    del other["sections"]["throughput"]
    (tmp_path / "other.json").write_text(json.dumps(other))
    code, _, err = bench("--measured", str(BUSY), "--against", str(tmp_path / "other.json"))
    assert code == 4
    assert "Nothing can be compared" in err


def test_a_baseline_that_is_none_is_refused_before_anything_is_measured(
    bench: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "empty.json").write_text("{}")
    for path in (tmp_path / "empty.json", tmp_path / "nowhere.json"):
        code, _, err = bench("--quick", "--against", str(path))
        assert code == 2
        assert f"mgeo bench --json {path}" in err
    assert bench("--measured", str(IDLE))[0] == 2
