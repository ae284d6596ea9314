"""The committed rules and dashboards are those that the code writes."""

from __future__ import annotations

import json

import pytest
import yaml

from deploy.monitoring import COMMAND, DIRECTORY, files


@pytest.mark.parametrize("name", files())
def test_a_committed_file_is_what_the_code_writes(name: str) -> None:
    assert (DIRECTORY / name).read_text("utf-8") == files()[name], f"run `{COMMAND}`"


def test_nothing_else_lies_there() -> None:
    found = {path.relative_to(DIRECTORY).as_posix() for path in DIRECTORY.rglob("*.*")}
    assert found == set(files())


def test_the_environment_does_not_change_the_committed_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = files()
    monkeypatch.setenv("MGEO_ALERT_LAG_RECORDS", "5")
    assert files() == before


def test_every_file_is_what_its_name_says() -> None:
    for name, content in files().items():
        if name.endswith(".json"):
            assert json.loads(content)["uid"] in name
        else:
            assert yaml.safe_load(content)
