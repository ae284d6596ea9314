"""The guide of the policy describes every field, with the default that it has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from contracts.policy import Policy
from rollout.golden import Sensitivity, parse_golden, sensitivity
from rollout.guardrails import Guardrails
from rollout.policy.files import leaves

GUIDE = (Path(__file__).parents[3] / "docs/guides/policy.md").read_text("utf-8")
FIELDS = dict(leaves(Policy().model_dump(mode="json")))
ROWS = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| ([^|]+?) \|", GUIDE, flags=re.MULTILINE))


def test_the_guide_has_a_row_for_every_field_and_for_no_other() -> None:
    assert set(ROWS) == set(FIELDS)


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "canary.steps"])
def test_the_default_in_the_guide_is_the_default(name: str) -> None:
    value = FIELDS[name]
    assert ROWS[name] == f"`{value if isinstance(value, str) else json.dumps(value)}`"


def test_the_guardrails_of_the_guide_can_be_used() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", GUIDE, flags=re.DOTALL)
    guardrails = Guardrails.model_validate(yaml.safe_load(example))
    objections = {one.field for one in guardrails.objections(Policy())}
    assert objections == {"golden.required", "golden.min_addresses", "approval.required"}


def test_the_figures_of_the_guide_are_those_that_were_measured() -> None:
    stored = Path(__file__).parents[3] / "benchmarks/real-pairs.json"
    agreement = json.loads(stored.read_text("utf-8"))["agreement"]
    for name in ("traffic of month 1", "traffic of month 2"):
        figures = agreement[name]
        row = " | ".join(
            f"{figures[key]:.3f}" for key in ("exact_match", "span_f1", "exact_match_lowest_slice")
        )
        assert f"| {row} |" in GUIDE


def test_the_table_of_the_golden_guide_is_what_the_check_computes() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/golden-set.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d,]+) \| ([\d.]+) \| (\d+)% \|$", guide, flags=re.MULTILINE)
    assert len(rows) >= 5
    for size, detects, fails in rows:
        power = sensitivity(int(size.replace(",", "")), Sensitivity(0.21, 0.33), -0.002)
        assert power.detects is not None
        assert (f"{power.detects:.4f}", f"{power.fails_equal:.0%}") == (detects, f"{fails}%")


def test_the_rows_of_the_golden_guide_can_be_read() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/golden-set.md").read_text("utf-8")
    for row in re.findall(r"```json\n(.*?)\n```", guide, flags=re.DOTALL):
        assert parse_golden(row, "guide").rows
