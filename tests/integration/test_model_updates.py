"""`mgeo model check-updates` through modelscope's own client, against a hub on this machine."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.hub.commands import Mgeo, hub_with_a_model, model_commands
from tests.hub.publishing import TAGGING, publish_tiny
from tests.hub.stand_in import StandInHub, commit_of
from tests.models.tiny import write_tiny_checkpoint

FIRST = "mgeo-base-v1-20260101"
SECOND = "mgeo-base-v2-20260201"
TWIN = TAGGING.replace("damo/", "iic/")

Check = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def mgeo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Mgeo:
    return model_commands(tmp_path, monkeypatch, capfd)


@pytest.fixture
def check(mgeo: Mgeo) -> Check:
    def call(*arguments: str) -> list[dict[str, Any]]:
        code, out, err = mgeo("check-updates", *arguments, "--output", "json")
        assert code == 0, err
        found: list[dict[str, Any]] = json.loads(out)
        return found

    return call


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with hub_with_a_model(tmp_path, monkeypatch) as running:
        yield running


def edit_card(hub: StandInHub, old: str, new: str, model: str = TAGGING) -> None:
    """A commit that touches the README and nothing else."""
    shutil.copytree(hub.root / model / old, hub.root / model / new)
    (hub.root / model / new / "README.md").write_text("# Words were mended\n")


@pytest.mark.usefixtures("hub")
def test_a_model_that_the_store_has_not_is_new_and_can_be_added_as_told(
    mgeo: Mgeo, check: Check
) -> None:
    [found] = check(TAGGING)
    revision = commit_of("v1.0.0")
    today = datetime.now(UTC).date()
    assert found == {
        "hub_id": TAGGING,
        "revision": revision,
        "model": f"modelscope:{TAGGING}@{revision}",
        "new": True,
        "known_as": None,
        "version": f"mgeo-base-{revision[:12]}-{today:%Y%m%d}",
        "unlisted": [],
        "problem": None,
    }
    assert mgeo("add", found["model"], "--version", found["version"])[0] == 0
    [again] = check(TAGGING)
    assert (again["new"], again["known_as"], again["version"]) == (False, found["version"], None)


def test_a_later_commit_is_found_without_naming_the_model(
    hub: StandInHub, mgeo: Mgeo, check: Check
) -> None:
    assert check() == []
    mgeo("add", f"modelscope:{TAGGING}@v1.0.0", "--version", FIRST)
    [known] = check()
    assert (known["new"], known["known_as"]) == (False, FIRST), "a tag and its commit are one"
    publish_tiny(hub, "v1.1.0", seed=2)
    [found] = check()
    assert (found["new"], found["revision"]) == (True, commit_of("v1.1.0"))
    asked = {one.file for one in hub.asked}
    assert "pytorch_model.bin" in asked
    hub.asked.clear()
    check()
    assert {one.file for one in hub.asked} == {None}, "a check downloads nothing"


def test_an_edited_card_is_no_new_model(hub: StandInHub, mgeo: Mgeo, check: Check) -> None:
    mgeo("add", f"modelscope:{TAGGING}@v1.0.0", "--version", FIRST)
    edit_card(hub, "v1.0.0", "v1.0.1")
    [found] = check()
    assert (found["new"], found["known_as"]) == (False, FIRST)
    assert found["revision"] == commit_of("v1.0.1")


def test_a_model_taken_back_by_its_maker_is_known_as_the_older_version(
    hub: StandInHub, mgeo: Mgeo, check: Check
) -> None:
    publish_tiny(hub, "v1.1.0", seed=2)
    mgeo("add", f"modelscope:{TAGGING}@v1.0.0", "--version", FIRST)
    mgeo("add", f"modelscope:{TAGGING}@v1.1.0", "--version", SECOND)
    assert check()[0]["known_as"] == SECOND
    edit_card(hub, "v1.0.0", "v1.2.0")
    assert check()[0]["known_as"] == FIRST


def test_both_owners_of_one_model_are_looked_through(
    hub: StandInHub, mgeo: Mgeo, check: Check
) -> None:
    mgeo("add", f"modelscope:{TAGGING}@v1.0.0", "--version", FIRST)
    publish_tiny(hub, "v1.0.0", seed=1, model=TWIN)
    [found] = check(TWIN)
    assert (found["new"], found["known_as"]) == (False, FIRST)


def test_a_revision_that_the_hub_lists_no_more_is_said_and_is_no_error(
    hub: StandInHub, mgeo: Mgeo
) -> None:
    mgeo("add", f"modelscope:{TAGGING}@v1.0.0", "--version", FIRST)
    publish_tiny(hub, "v1.1.0", seed=2)
    shutil.rmtree(hub.root / TAGGING / "v1.0.0")
    code, out, err = mgeo("check-updates", "--output", "json")
    [found] = json.loads(out)
    assert code == 0
    assert (found["new"], found["unlisted"]) == (True, [FIRST])
    assert f"no longer lists the revision that {FIRST} came from" in err


def test_a_branch_or_a_tag_may_be_named(hub: StandInHub, check: Check) -> None:
    publish_tiny(hub, "v1.1.0", seed=2)
    [branch] = check(f"modelscope:{TAGGING}@master")
    assert branch["revision"] == commit_of("v1.1.0")
    [tag] = check(f"modelscope:{TAGGING}@v1.0.0")
    assert tag["revision"] == "v1.0.0"


@pytest.mark.usefixtures("hub")
def test_a_model_from_a_directory_is_never_looked_for(
    mgeo: Mgeo, check: Check, tmp_path: Path
) -> None:
    mgeo("add", str(write_tiny_checkpoint(tmp_path / "own", seed=3)), "--version", FIRST)
    assert check() == []


def test_one_model_that_is_gone_hides_no_other(hub: StandInHub, mgeo: Mgeo) -> None:
    publish_tiny(hub, "v1.0.0", seed=4, model="acme/mgeo_tagging")
    mgeo("add", f"modelscope:{TAGGING}@v1.0.0", "--version", FIRST)
    mgeo("add", "modelscope:acme/mgeo_tagging@v1.0.0", "--version", SECOND)
    shutil.rmtree(hub.root / "acme")
    code, out, _ = mgeo("check-updates", "--output", "json")
    found = {one["hub_id"]: one for one in json.loads(out)}
    assert code == 1, "a check that could not be made must not look like good news"
    assert found[TAGGING]["known_as"] == FIRST
    assert "has no modelscope:acme/mgeo_tagging" in found["acme/mgeo_tagging"]["problem"]
    assert found["acme/mgeo_tagging"]["new"] is None


def test_what_is_asked_for_by_name_and_cannot_be_had_is_an_error(
    hub: StandInHub, mgeo: Mgeo
) -> None:
    code, out, err = mgeo("check-updates", "acme/mgeo_tagging")
    assert (code, out) == (2, "")
    assert "has no modelscope:acme/mgeo_tagging" in err
    code, _, err = mgeo("check-updates", "damo/mgeo_backbone_chinese_base")
    assert code == 2
    assert "backbone" in err
    (hub.root / TAGGING / "v1.0.0" / "pytorch_model.bin").unlink()
    code, _, err = mgeo("check-updates", TAGGING)
    assert code == 2
    assert "cannot be an MGeo model" in err


def test_a_hub_that_cannot_be_reached_is_said_at_once(
    mgeo: Mgeo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        code, out, err = mgeo("check-updates", TAGGING)
    assert (code, out) == (6, "")
    assert "does not answer" in err
