"""`mgeo model`, as people and scripts call it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.doctor.finding import Status
from deploy.doctor.models import digests, store
from tests.brokers.program import ROOT
from tests.hub.commands import Mgeo, hub_with_a_model, model_commands
from tests.hub.publishing import TAGGING
from tests.hub.stand_in import StandInHub
from tests.models.tagging import write_tagging_checkpoint
from tests.models.tiny import write_tiny_checkpoint

VERSION = "mgeo-tiny-v1-20261101"


@pytest.fixture
def mgeo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Mgeo:
    return model_commands(tmp_path, monkeypatch, capfd)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with hub_with_a_model(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_tiny_checkpoint(tmp_path / "model", seed=1))


def blob(tmp_path: Path, sha256: str) -> Path:
    path = tmp_path / "store" / "blobs" / "sha256" / sha256
    path.chmod(0o644)
    return path


def parsed(out: str) -> Any:
    return json.loads(out)


def test_add_prints_version_and_digest_and_may_be_repeated(mgeo: Mgeo, model: str) -> None:
    code, out, err = mgeo("add", model, "--version", VERSION)
    version, digest = out.split()
    assert (code, version) == (0, VERSION)
    assert digest.startswith("sha256:")
    assert f"mgeo model selfcheck {VERSION}" in err
    code, again, err = mgeo("add", model, "--version", VERSION)
    assert (code, again) == (0, out)
    assert "nothing was changed" in err


def test_add_refuses_in_one_sentence_that_says_what_to_do(
    mgeo: Mgeo, model: str, tmp_path: Path
) -> None:
    mgeo("add", model, "--version", VERSION)
    other = str(write_tiny_checkpoint(tmp_path / "other", seed=2))
    for arguments, said in (
        ((other, "--version", VERSION), "already names another model"),
        ((other, "--version", "latest"), "BASE-FINETUNE-YYYYMMDD"),
        ((other,), "mgeo model add"),
        ((str(tmp_path / "nowhere"), "--version", VERSION), "no model directory"),
    ):
        code, out, err = mgeo("add", *arguments)
        assert (code, out) == (2, "")
        assert said in err
        assert "Traceback" not in err


def test_list_and_show_say_what_is_there(mgeo: Mgeo, model: str) -> None:
    mgeo("add", model, "--version", VERSION)
    _, out, _ = mgeo("list", "--output", "json")
    [listed] = [entry for entry in parsed(out) if entry["layer"] == "store"]
    assert listed["version"] == VERSION
    _, out, _ = mgeo("show", VERSION, "--output", "json")
    shown = parsed(out)
    assert shown["digest"] == listed["digest"]
    assert len(shown["labels"]) == 57
    assert shown["card"] == "# A tiny model\n\nRandom weights, for tests."
    assert {file["name"] for file in shown["files"]} >= {"model.safetensors", "vocab.txt"}
    for command in (("list",), ("show", VERSION)):
        code, out, _ = mgeo(*command)
        assert code == 0
        assert VERSION in out


def test_a_broken_manifest_hides_no_other_model(mgeo: Mgeo, model: str, tmp_path: Path) -> None:
    mgeo("add", model, "--version", VERSION)
    versions = tmp_path / "store" / "versions"
    (versions / "mgeo-bad-v1-20260101.json").write_text("broken")
    (versions / "stray.json").write_text("{}")
    code, out, err = mgeo("list", "--output", "json")
    listed = {record["version"]: record for record in parsed(out)}
    assert code == 1
    assert listed[VERSION]["digest"].startswith("sha256:")
    assert "cannot be used" in listed["mgeo-bad-v1-20260101"]["problem"]
    assert "mgeo model remove mgeo-bad-v1-20260101" in err
    assert "stray" not in listed
    assert mgeo("remove", "mgeo-bad-v1-20260101")[0] == 0
    assert mgeo("list")[0] == 0


def test_a_card_cannot_write_to_the_terminal(mgeo: Mgeo, model: str) -> None:
    Path(model, "README.md").write_text("---\nlicense: x\n---\n\x1b[31mred\x07\n地址\n")
    mgeo("add", model, "--version", VERSION)
    _, out, _ = mgeo("show", VERSION, "--output", "json")
    assert parsed(out)["card"] == "[31mred\n地址"


def test_verify_leaves_with_1_when_a_byte_was_changed(
    mgeo: Mgeo, model: str, tmp_path: Path
) -> None:
    mgeo("add", model, "--version", VERSION)
    assert mgeo("verify", VERSION)[0] == 0
    _, out, _ = mgeo("show", VERSION, "--output", "json")
    sha256 = next(f["sha256"] for f in parsed(out)["files"] if f["name"] == "vocab.txt")
    with blob(tmp_path, sha256).open("r+b") as vocabulary:
        vocabulary.write(b"x")
    code, out, err = mgeo("verify", "--all", "--output", "json")
    assert code == 1
    [bad] = [record for record in parsed(out) if not record["sound"]]
    assert bad["version"] == VERSION
    assert "vocab.txt" in bad["problem"]
    assert "add the model again" in err
    assert mgeo("verify")[0] == 2


def test_selfcheck_leaves_with_1_under_its_threshold(mgeo: Mgeo, tmp_path: Path) -> None:
    mgeo("add", str(write_tagging_checkpoint(tmp_path / "tagging")), "--version", VERSION)
    code, out, _ = mgeo("selfcheck", VERSION, "--output", "json")
    check = parsed(out)
    assert code == 0
    assert check["passed"] is True
    assert check["conformance"]["holds"] is True
    assert check["known"]["addresses"] == 50
    assert 0.2 < check["known"]["right_share"] < 0.95
    code, out, _ = mgeo("selfcheck", VERSION, "--min-right", "0.99")
    assert code == 1
    assert "known addresses right in every component" in out
    assert "district" in out


def test_remove_takes_a_version_away(mgeo: Mgeo, model: str) -> None:
    mgeo("add", model, "--version", VERSION)
    code, out, _ = mgeo("remove", VERSION)
    assert code == 0
    assert "freed" in out
    code, _, err = mgeo("show", VERSION)
    assert code == 2
    assert "there is no model" in err


def test_fetch_draws_no_bar_into_a_pipe_and_add_then_needs_no_hub(
    mgeo: Mgeo, hub: StandInHub
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "model", "fetch", f"modelscope:{TAGGING}@v1.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"modelscope:{TAGGING}@v1.0.0")
    assert done.stderr.splitlines() == [
        f"Next: mgeo model add modelscope:{TAGGING}@v1.0.0 --version VERSION"
    ]
    hub.stop()
    code, out, err = mgeo("add", f"{TAGGING}@v1.0.0", "--version", VERSION, "--output", "json")
    assert code == 0, err
    assert parsed(out)["source"] == {
        "kind": "modelscope",
        "hub_id": TAGGING,
        "revision": "v1.0.0",
    }


def test_a_hub_that_is_away_is_exit_code_6(mgeo: Mgeo, hub: StandInHub) -> None:
    hub.stop()
    code, _, err = mgeo("fetch", f"modelscope:{TAGGING}@v1.0.0")
    assert code == 6
    assert "does not answer" in err
    code, _, err = mgeo("fetch", f"modelscope:{TAGGING}@v1.0.0", "--offline")
    assert code == 2
    assert "has not been fetched" in err


def test_the_doctor_finds_a_tampered_model(
    mgeo: Mgeo, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGEO_VERSION", VERSION)
    [missing] = digests()
    assert missing.status is Status.BROKEN
    assert "mgeo model add" in missing.hint
    mgeo("add", model, "--version", VERSION)
    assert [finding.status for finding in (*store(), *digests())] == [Status.OK, Status.OK]
    for path in (tmp_path / "store" / "blobs" / "sha256").iterdir():
        path.chmod(0o644)
        path.write_bytes(b"tampered")
    [tampered] = digests()
    assert tampered.status is Status.BROKEN
    assert "not what its digest says" in tampered.found
