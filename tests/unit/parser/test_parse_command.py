"""``mgeo parse``: what a person and a program see."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.manifest import ModelSource
from consumer.store.release import describe_release
from tests.models.tagging import ADDRESSES, text_of, write_tagging_checkpoint

VERSION = "mgeo-test-v1-20260101"
FIRST, SECOND = (text_of(address) for address in ADDRESSES[:2])


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("cli")
    directory = write_tagging_checkpoint(root / "model", safetensors=True)
    settings = ParserSettings(model_store=str(root / "store"), model_cache=root / "cache")
    manifest = describe_release(
        directory,
        version=VERSION,
        source=ModelSource(kind="directory"),
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    open_store(settings).put(directory, manifest)
    return {
        **os.environ,
        "MGEO_MODEL_STORE": str(root / "store"),
        "MGEO_MODEL_CACHE": str(root / "cache"),
        "MGEO_VERSION": VERSION,
        "OMP_NUM_THREADS": "1",
    }


def mgeo(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "parse", *arguments],
        env=environment,
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_address_is_a_table_for_people(environment: dict[str, str]) -> None:
    done = mgeo(environment, FIRST)
    assert done.returncode == 0, done.stderr
    for cell in ("海淀区", "中关村大街", "1号", "110108", "completed"):
        assert cell in done.stdout


def test_json_is_one_document_for_one_address_and_lines_for_many(
    environment: dict[str, str],
) -> None:
    one = mgeo(environment, "--output", "json", FIRST)
    assert json.loads(one.stdout)["address"]["prov"] == "北京市"
    many = mgeo(
        environment, "--output", "json", "--device", "cpu", "--batch-size", "1", FIRST, " ", SECOND
    )
    lines = [json.loads(line) for line in many.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["ok", "error", "ok"]
    assert lines[1]["error"] == "empty_text"
    assert lines[2]["address"]["district"] == "浦东新区"
    assert many.returncode == 1


def test_a_model_or_device_that_is_not_there_is_one_clear_sentence(
    environment: dict[str, str],
) -> None:
    for arguments, said in (
        (("--model", "mgeo-none-v1-20260101"), "mgeo-none-v1-20260101"),
        (("--device", "cuda:99"), "cuda:99"),
    ):
        done = mgeo(environment, *arguments, FIRST)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert FIRST not in done.stderr


def test_a_file_comes_back_with_its_rows_columns_and_results(
    environment: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(f"编号,地址,备注\nx1,{FIRST},甲\nx2,,乙\nx3\n".encode("gb18030"))
    done = mgeo(environment, str(source), "--out", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["编号"], first["备注"], first["district"]) == ("x1", "甲", "海淀区")
    assert (first["adcode"], first["status"]) == ("110108", "ok")
    assert (second["编号"], second["error_code"]) == ("x2", "empty_text")
    assert "1 malformed lines set aside" in done.stderr
    assert FIRST not in done.stderr

    done = mgeo(environment, str(source), "--output", "json")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["id"], one["status"]) for one in printed] == [("x1", "ok"), ("x2", "error")]
