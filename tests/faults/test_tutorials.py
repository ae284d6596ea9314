"""The tutorials do what they say when somebody types them. Minutes each."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest
from openpyxl import load_workbook

from deploy.local import LocalSettings
from tests.tutorials import ROOT, Typist, blocks

pytestmark = [pytest.mark.fault, pytest.mark.broker, pytest.mark.timeout(2400)]

TUTORIALS = ROOT / "docs" / "tutorials"
PAGE = TUTORIALS / "promote-a-model.md"


def test_the_tutorial_promotes_rolls_back_and_stops_a_damaged_model(
    tmp_path: Path, local_settings: LocalSettings
) -> None:
    with Typist(tmp_path, local_settings.cache_dir) as typist:
        for block in blocks(PAGE):
            typist.check_services()
            typed = typist.type(block)
            if typed is not None:
                print(f"--- {typed.seconds:.0f} s\n{block}{typed.out}{typed.err}")
                wanted = ["mgeo rollout start"] if "report-damaged" in block else []
                failed = [line[:18] for line in typed.failed.splitlines() if line[0] != " "]
                assert failed == wanted, typed.failed

        def after(start: str) -> str:
            return next(one.out for one in typist.typed if start in one.block)

        assert "PASSED" in after("--until PASSED")
        assert "PROMOTED" in after("--until PROMOTED")
        assert "ROLLED_BACK" in after("--until ROLLED_BACK")
        assert after("--report report-damaged").rstrip().endswith("1")
        assert list((typist.clone / "report-damaged").rglob("*.html"))


@pytest.fixture
def typist(tmp_path: Path, local_settings: LocalSettings) -> Iterator[Typist]:
    with Typist(tmp_path, local_settings.cache_dir) as one:
        yield one


def need_ports(*ports: int) -> None:
    """The pages name these ports: something else that listens there is no fault of theirs."""
    for port in ports:
        with socket.socket() as one:
            assert one.connect_ex(("127.0.0.1", port)), f"something else listens at port {port}"


def test_a_file_comes_back_parsed_and_a_dead_letter_is_seen(typist: Typist) -> None:
    need_ports(19092)

    typist.walk(TUTORIALS / "parse-a-file.md")

    sheet = load_workbook(typist.clone / "parsed.xlsx").active
    assert sheet is not None
    rows = list(sheet.iter_rows(values_only=True))
    assert [str(row[0]) for row in rows] == ["id", "1001", "1002", "1003", "1004", "1006"]
    assert "extra" in (typist.clone / "orders.csv.rejects.csv").read_text("utf-8-sig")
    assert pyarrow.parquet.read_table(typist.clone / "everything.parquet").num_rows == 5
    assert "not_json" in typist.after("mgeo dlq list")
    assert "中关村" not in typist.after("mgeo dlq list"), "content is shown to who asks for it"


def test_a_caller_over_http_gets_answers_and_every_kind_of_refusal(typist: Typist) -> None:
    need_ports(8000, 8001, 7999)

    typist.walk(TUTORIALS / "call-it-over-http.md")

    codes = typist.after("uniq -c").splitlines()[-2:]
    assert sum(int(line.split()[0]) for line in codes) == 8, codes
    assert "陕西省" in typist.after("mgeo results --source shop")


def test_what_a_publisher_broke_is_found_and_labelled(typist: Typist) -> None:
    typist.walk(TUTORIALS / "find-what-goes-wrong.md")

    page = (typist.clone / "insights.html").read_text("utf-8")
    assert "duplicated_prefix" in page
    assert "13800138000" not in page
    moved = typist.after("--baseline-file monday.jsonl")
    assert "personal_data" in moved
    exported = (typist.clone / "to-label.jsonl").read_text("utf-8")
    assert len(exported.splitlines()) == 20
    assert "13800138000" not in exported
    assert "labelled addresses" in typist.after("mgeo model compare")


def test_the_pipelines_script_promotes_after_one_approval_and_returns(typist: Typist) -> None:
    typist.walk(TUTORIALS / "promote-from-ci.md")

    reports = typist.clone / "reports"
    for step in ("compare", "shadow", "promote", "rollback"):
        assert {".html", ".md", ".xml"} <= {file.suffix for file in (reports / step).iterdir()}
    decision = json.loads((reports / "shadow" / "report.json").read_text("utf-8"))
    assert "mgeo-starter-ours-20261123" in json.dumps(decision)


def test_an_operator_scales_up_and_down_and_nothing_is_lost(typist: Typist) -> None:
    need_ports(8000, 9464, 9465, 9466, 9474)

    typist.walk(TUTORIALS / "operate-it.md")

    written = int(typist.after("--out all.jsonl").split()[0])
    assert written > 300, "there was traffic all the time"
    assert int(typist.after("--out again.jsonl").split("records written")[0].split()[-1]) == written
