"""`mgeo rollout policy` and `mgeo golden check`, as people and pipelines call them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.policy import Policy
from deploy.cli.boundary import run
from rollout.policy import policy_digest
from tests.unit.rollout.golden_rows import generated, write_rows

Mgeo = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mgeo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Mgeo:
    """Run one command in an empty directory: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


class TestPolicy:
    def test_a_wrong_policy_leaves_with_2_and_the_line(self, mgeo: Mgeo) -> None:
        Path("rollout.yaml").write_text("gates:\n  exact_match: {mim: 0.9}\n")
        code, out, err = mgeo("rollout", "policy", "rollout.yaml")
        assert (code, out) == (2, "")
        assert err.splitlines()[0] == (
            "Error: rollout.yaml:2:17: unknown name `gates.exact_match.mim`; did you mean `min`?"
        )

    def test_a_wrong_override_leaves_with_2_and_its_name(self, mgeo: Mgeo) -> None:
        code, _, err = mgeo("rollout", "policy", "--defaults", "--set", "alpha.promote=2")
        assert code == 2
        assert "--set alpha.promote=2: `alpha.promote` must be below 1.0" in err

    def test_the_effective_policy_comes_with_its_digest_and_what_differs(self, mgeo: Mgeo) -> None:
        Path("rollout.yaml").write_text("alpha: {promote: 0.01}\n")
        code, out, _ = mgeo(
            *("rollout", "policy", "rollout.yaml", "--set", "bake.duration=5m"),
            *("--output", "json"),
        )
        document = json.loads(out)
        assert code == 0
        policy = Policy.model_validate(document["policy"])
        assert document["digest"] == policy_digest(policy)
        assert document["changed"] == {
            "alpha.promote": {"value": 0.01, "default": 0.05},
            "bake.duration": {"value": "5m", "default": "30m"},
        }

    def test_the_table_shows_the_default_beside_what_differs(self, mgeo: Mgeo) -> None:
        code, out, _ = mgeo("rollout", "policy", "--defaults", "--set", "aa.max=0.02")
        [line] = [line for line in out.splitlines() if "aa.max" in line]
        assert code == 0
        assert [cell.strip() for cell in line.split("│")[1:4]] == ["aa.max", "0.02", "0.01"]

    def test_guardrails_are_held_against_it_before_anything_is_asked(self, mgeo: Mgeo) -> None:
        Path("guardrails.yaml").write_text("alpha: {promote: 0.01}\nbake: {duration: 1h}\n")
        ask = ("rollout", "policy", "--defaults", "--guardrails", "guardrails.yaml")
        code, out, err = mgeo(*ask)
        assert (code, out) == (2, "")
        assert "alpha.promote is 0.05" in err
        assert "bake.duration is 30m" in err
        code, out, _ = mgeo(*ask, "--set", "alpha.promote=0.01", "--set", "bake.duration=2h")
        assert code == 0
        assert "bake.duration" in out

    def test_a_file_or_the_defaults_and_not_both(self, mgeo: Mgeo) -> None:
        assert mgeo("rollout", "policy")[0] == 2
        assert mgeo("rollout", "policy", "rollout.yaml", "--defaults")[0] == 2

    def test_explain_says_when_each_gate_decides(self, mgeo: Mgeo) -> None:
        code, out, _ = mgeo(
            *("rollout", "policy", "--defaults", "--explain", "--output", "json"),
            *("--addresses-per-hour", "1000", "--expect", "exact_match=0.9"),
            *("--expect", "span_f1=0.97"),
        )
        outlook = json.loads(out)["outlook"]
        gates = {one["gate"]: one for one in outlook["forecasts"]}
        assert code == 0
        assert {"exact_match", "span_f1", "error_rate", "latency_p99", "aa"} <= set(gates)
        exact = gates["exact_match"]
        assert exact["pass_hours"] == pytest.approx(exact["pass_n"] / 1000)
        assert outlook["hours"] >= exact["pass_hours"]

    def test_explain_says_that_a_worse_candidate_will_not_pass(self, mgeo: Mgeo) -> None:
        code, out, _ = mgeo("rollout", "policy", "--defaults", "--expect", "exact_match=0.6")
        assert code == 0
        assert "It will not pass: at these rates exact_match" in out

    def test_an_unknown_rate_leaves_with_2(self, mgeo: Mgeo) -> None:
        code, _, err = mgeo("rollout", "policy", "--defaults", "--expect", "exact=0.9")
        assert code == 2
        assert "did you mean `exact_match`?" in err


class TestGoldenCheck:
    def test_it_says_what_the_set_can_detect_by_province_and_component(self, mgeo: Mgeo) -> None:
        write_rows(Path("golden.jsonl"), generated(300))
        code, out, _ = mgeo("golden", "check", "golden.jsonl", "--output", "json")
        document = json.loads(out)
        assert code == 0
        assert document["addresses"] == 300
        whole, *groups = document["groups"]
        provinces = [one for one in groups if one["kind"] == "province"]
        assert sum(one["addresses"] for one in provinces) == 300
        # Municipalities and cities are counted under their province though no label names it.
        assert "浙江省" in {one["name"] for one in provinces}
        components = {one["name"]: one for one in groups if one["kind"] == "component"}
        assert components["road"]["addresses"] < 300
        assert components["road"]["detects"] > whole["detects"]

    def test_more_labels_detect_less(self, mgeo: Mgeo) -> None:
        found = []
        for size in (100, 400):
            write_rows(Path("golden.jsonl"), generated(size))
            _, out, _ = mgeo("golden", "check", "golden.jsonl", "--output", "json")
            found.append(json.loads(out)["groups"][0]["detects"])
        assert found[1] < found[0]

    def test_a_wrong_row_leaves_with_2_and_its_line_but_not_its_text(self, mgeo: Mgeo) -> None:
        rows = generated(3)
        rows[1]["components"][0]["end"] = 10_000
        write_rows(Path("golden.jsonl"), rows)
        code, _, err = mgeo("golden", "check", "golden.jsonl")
        assert code == 2
        assert "golden.jsonl:2:1: `components[0]` spans" in err
        assert rows[1]["text"] not in err

    def test_rows_from_failures_are_told_apart(self, mgeo: Mgeo) -> None:
        rows = generated(20)
        rows[0]["stratum"] = "failures"
        write_rows(Path("golden.jsonl"), rows)
        _, out, err = mgeo("golden", "check", "golden.jsonl")
        assert "│ all " in out
        assert " 19 " in out
        assert "1 rows of the stratum failures" in err
