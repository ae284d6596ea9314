"""`mgeo model compare` and the look before a rollout, with the two starter releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.address_parser import AddressParser
from consumer.parser.opening import open_model
from consumer.settings import ParserSettings
from contracts.errors import UsageError
from contracts.policy import GoldenPolicy, Policy
from deploy.cli.boundary import run
from deploy.golden import look
from deploy.paired_parsing import PairedParser, run_all
from tests.unit.rollout.golden_rows import generated, write_rows

OLD, NEW = "mgeo-starter-v1-20260915", "mgeo-starter-v2-20261015"
SIZE = 150
SMALL = Policy(golden=GoldenPolicy(min_addresses=SIZE))

Mgeo = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return generated(SIZE)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> ParserSettings:
    monkeypatch.setenv("MGEO_DEVICE", "cpu")
    return ParserSettings()


@pytest.fixture
def mgeo(
    tmp_path: Path,
    rows: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Mgeo:
    """Run `mgeo model compare` in a directory with golden.jsonl and rollout.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MGEO_DEVICE", "cpu")
    write_rows(Path("golden.jsonl"), rows)
    Path("rollout.yaml").write_text(f"golden: {{path: golden.jsonl, min_addresses: {SIZE}}}\n")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["model", "compare", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_a_better_candidate_passes_and_the_report_says_so(mgeo: Mgeo) -> None:
    code, out, err = mgeo(
        *(OLD, NEW, "--policy", "rollout.yaml", "--report", "report", "--output", "json")
    )
    document = json.loads(out)
    assert code == 0
    assert document["verdict"] == "pass"
    golden = document["golden"]
    low, high = golden["interval"]
    assert 0 < low <= golden["mean_delta"] <= high
    assert golden["candidate_f1"] - golden["reference_f1"] == pytest.approx(golden["mean_delta"])
    assert document["agreement"]["addresses"] == SIZE
    assert document["latency"]["median_ratio"] > 0
    assert "report.html" in err
    report = json.loads(Path("report/report.json").read_text())
    assert (report["kind"], report["golden"]) == ("comparison", golden)
    assert report["disagreements"]
    assert all(one["expected"] for one in report["disagreements"])
    assert "<testcase" in Path("report/junit.xml").read_text()


def test_a_worse_candidate_leaves_with_1_and_without_a_policy_with_0(mgeo: Mgeo) -> None:
    code, out, _ = mgeo(NEW, OLD, "--policy", "rollout.yaml")
    assert code == 1
    assert "fail: mean F1" in out
    code, _, err = mgeo(NEW, OLD, "--golden", "golden.jsonl")
    assert code == 0
    assert "Not judged" in err


def test_a_model_against_itself_agrees_wholly(mgeo: Mgeo) -> None:
    code, out, _ = mgeo(NEW, NEW, "--policy", "rollout.yaml", "--output", "json")
    document = json.loads(out)
    assert code == 0
    assert document["golden"]["mean_delta"] == 0.0
    assert document["agreement"]["exact_match"] == 1.0


def test_addresses_without_labels_show_agreement_alone(
    mgeo: Mgeo, rows: list[dict[str, Any]]
) -> None:
    Path("sample.txt").write_text("\n".join(row["text"] for row in rows[:40]) + "\n")
    code, out, _ = mgeo(OLD, NEW, "--sample", "sample.txt", "--output", "json")
    document = json.loads(out)
    assert code == 0
    assert document["golden"] is None
    assert 30 <= document["agreement"]["addresses"] <= 40
    assert 0.3 < document["agreement"]["exact_match"] < 1.0


def test_a_large_sample_is_drawn_from_and_the_same_every_time(
    mgeo: Mgeo, rows: list[dict[str, Any]]
) -> None:
    Path("sample.txt").write_text("\n".join(row["text"] for row in rows) + "\n")
    ask = (OLD, NEW, "--sample", "sample.txt", "--sample-size", "10", "--output", "json")
    first, second = mgeo(*ask), mgeo(*ask)
    assert "10 of the" in first[2]
    assert json.loads(first[1])["agreement"] == json.loads(second[1])["agreement"]
    assert json.loads(first[1])["agreement"]["addresses"] <= 10


def test_a_policy_that_requires_a_set_is_not_met_without_one(mgeo: Mgeo) -> None:
    Path("strict.yaml").write_text("golden: {required: true}\n")
    Path("sample.txt").write_text("杭州市西湖区文一路98号\n")
    code, out, _ = mgeo(OLD, NEW, "--sample", "sample.txt", "--policy", "strict.yaml")
    assert code == 3
    assert "the policy requires a golden set" in out


def test_what_is_wrong_is_said_before_any_model_is_loaded(mgeo: Mgeo) -> None:
    code, _, err = mgeo(OLD, NEW)
    assert code == 2
    assert "nothing to compare" in err
    code, _, err = mgeo(
        *(OLD, NEW, "--policy", "rollout.yaml", "--set", f"golden.min_addresses={SIZE + 1}")
    )
    assert code == 2
    assert f"{SIZE} labelled addresses that count" in err
    Path("golden.jsonl").write_text("{}\n")
    code, _, err = mgeo(OLD, NEW, "--golden", "golden.jsonl")
    assert code == 2
    assert "golden.jsonl:1:1" in err


def test_both_models_read_as_they_do_alone(
    settings: ParserSettings, rows: list[dict[str, Any]]
) -> None:
    texts = [row["text"] for row in rows[:60]] + ["", rows[0]["text"], "北京" * 200]
    reference, candidate = open_model(OLD, settings), open_model(NEW, settings)
    done: list[int] = []
    small = settings.model_copy(update={"batch_size": 16})
    ours, theirs, groups = run_all(PairedParser(reference, candidate, small), texts, done.append)
    for model, results in ((reference, ours), (candidate, theirs)):
        alone = AddressParser(model, settings).parse(texts)
        assert [one.address for one in results] == [one.address for one in alone]
        assert [one.error for one in results] == [one.error for one in alone]
    assert sorted(place for group in groups for place in group.places) == list(range(len(texts)))
    assert sum(done) == len(texts)
    batches = [group.batch for group in groups if group.batch is not None]
    assert {batch.order for batch in batches} == {"reference_first", "candidate_first"}
    assert all(batch.rows > 0 and batch.tokens >= batch.rows for batch in batches)


def test_the_look_says_the_same_as_the_comparison(
    mgeo: Mgeo, settings: ParserSettings, tmp_path: Path
) -> None:
    specs = {name: open_model(name, settings).spec for name in (OLD, NEW)}
    outcome = look(
        tmp_path / "golden.jsonl",
        reference=specs[OLD],
        candidate=specs[NEW],
        policy=SMALL,
        settings=settings,
    )
    _, out, _ = mgeo(OLD, NEW, "--golden", "golden.jsonl", "--output", "json")
    assert json.loads(out)["golden"] == outcome.model_dump(mode="json")
    # Production's half precision is read in fp32 where there is no GPU.
    half = {name: spec.model_copy(update={"precision": "fp16"}) for name, spec in specs.items()}
    again = look(
        tmp_path / "golden.jsonl",
        reference=half[OLD],
        candidate=half[NEW],
        policy=SMALL,
        settings=settings,
    )
    assert again == outcome


def test_a_set_that_is_too_small_is_not_looked_at(
    settings: ParserSettings, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    spec = open_model(NEW, settings).spec
    with pytest.raises(UsageError) as caught:
        look(
            write_rows(tmp_path / "g.jsonl", rows),
            reference=spec,
            candidate=spec,
            policy=Policy(),
            settings=settings,
        )
    assert caught.value.code == "golden_too_small"
