"""People get their own rows back: all of them, all columns, in order, errors included."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from contracts.errors import PermanentError
from contracts.events import AddressResult
from contracts.limits import Limits
from contracts.settings import KafkaSettings
from deploy.file_publishing import Order, Report, publish_file
from producer.rows import ReadOptions
from producer.settings import ProducerSettings
from producer.tables import RESULT_COLUMNS
from tests.brokers.admin import TopicFactory
from tests.streams.command import Mgeo, MgeoOn
from tests.streams.stand_in_worker import StandInWorker, echo

pytestmark = pytest.mark.broker


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(3)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn) -> Mgeo:
    return mgeo_on(stream)


def write_rows(path: Path, rows: int) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["备注", "id", "地址", "key"])
        for number in range(rows):
            text = "" if number == 7 else f"京路{number}号"
            writer.writerow([f"=n{number}", f"r{number}", text, f"k{number % 3}"])
    return path


async def publish_and_wait(
    path: Path, stream: KafkaSettings, out: Path, records: int, **options: object
) -> Report:
    settings = ProducerSettings(publish_journal_dir=out.parent / "state", resume_settle_ms=0)
    order = Order(
        str(path),
        ReadOptions(),
        wait=True,
        out=out,
        **{"batch_addresses": 10, "patience_s": 20.0, **options},  # type: ignore[arg-type]
    )
    async with asyncio.timeout(60), StandInWorker(stream) as worker:
        answering = asyncio.create_task(worker.follow(records))
        report = await publish_file(order, stream, settings)
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    return report


@pytest.mark.parametrize("key", [None, "key"], ids=["without key", "with key"])
async def test_every_row_comes_back_in_its_place(
    stream: KafkaSettings, tmp_path: Path, key: str | None
) -> None:
    path = write_rows(tmp_path / "in.csv", 205)
    out = tmp_path / "out.csv"
    report = await publish_and_wait(path, stream, out, 21, key_column=key)
    assert report.results == {"ok": 204, "empty_text": 1}
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["备注", "id", "地址", "key", *RESULT_COLUMNS]
    assert [row[1] for row in rows[1:]] == [f"r{number}" for number in range(205)]
    assert [row[0] for row in rows[1:3]] == ["=n0", "=n1"]
    assert all(row[4] == row[2][:1] for row in rows[1:])
    assert rows[8][-2:] == ["error", "empty_text"]
    assert rows[9][-4:] == ["110108", "0.5", "ok", ""]


async def test_a_workbook_comes_back_as_a_workbook_and_as_parquet(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["地址", "city", "n"])
    book.active.append(["=京路1号", "旧", 1])
    book.active.cell(2, 1).data_type = "s"  # a text, as a spreadsheet keeps '=京路1号
    book.active.append(["京路2号", None, 2.5])
    book.save(tmp_path / "in.xlsx")
    await publish_and_wait(tmp_path / "in.xlsx", stream, tmp_path / "out.xlsx", 1)
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    header, first, second = sheet.iter_rows(values_only=True)
    assert header[:6] == ("地址", "city", "n", "prov", "mgeo_city", "district")
    assert first[:4] == ("=京路1号", "旧", 1, "=")
    assert sheet.cell(2, 1).data_type == "s"
    assert second[:4] == ("京路2号", None, 2.5, "京")
    await publish_and_wait(tmp_path / "in.xlsx", stream, tmp_path / "out.parquet", 2)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column("confidence").to_pylist() == [0.5, 0.5]
    assert table.column("n").to_pylist() == ["1", "2.5"]


async def test_rows_of_a_dead_letter_come_back_with_its_code(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"id":"{n}","text":"京{n}"}}\n' for n in range(4)))
    # A source that is too long for the worker, whose limits are others, makes every record a
    # dead letter.
    settings = ProducerSettings(
        publish_journal_dir=tmp_path / "state", limits=Limits(max_id_chars=400)
    )
    order = Order(
        str(path),
        ReadOptions(),
        source="s" * 201,
        wait=True,
        out=tmp_path / "out.jsonl",
        batch_addresses=2,
        patience_s=20.0,
    )
    async with asyncio.timeout(60), StandInWorker(stream) as worker:
        answering = asyncio.create_task(worker.follow(2))
        report = await publish_file(order, stream, settings)
        await answering
    assert report.results == {"bad_source": 4}
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["id"], line["status"], line["error_code"]) for line in lines] == [
        (str(n), "error", "bad_source") for n in range(4)
    ]


async def test_the_answer_to_a_replayed_dead_letter_comes_back(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    def crash(*_: str) -> AddressResult:
        raise PermanentError("three times", code="crashed_worker")

    path = write_rows(tmp_path / "in.csv", 5)
    settings = ProducerSettings(publish_journal_dir=tmp_path / "state", resume_settle_ms=0)
    order = Order(str(path), ReadOptions(), wait=True, patience_s=20.0, batch_addresses=10)
    async with asyncio.timeout(60), StandInWorker(stream, crash) as worker:
        answering = asyncio.create_task(worker.follow(1))
        report = await publish_file(order, stream, settings)
        await answering
    assert report.results == {"crashed_worker": 5}
    async with StandInWorker(stream) as worker:
        await worker.follow(1)  # as if `mgeo dlq replay` had brought it back
    report = await publish_and_wait(path, stream, tmp_path / "out.csv", 0, resume=True)
    assert report.results == {"ok": 5}


async def test_what_does_not_come_is_named_and_can_be_fetched_later(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "in.csv", 30)
    out = tmp_path / "out.csv"
    report = await publish_and_wait(path, stream, out, 0, patience_s=0.5)
    assert report.results == {"no_result": 30}
    assert len(report.missing) == 3
    with out.open(encoding="utf-8-sig", newline="") as file:
        assert {tuple(row[-2:]) for row in list(csv.reader(file))[1:]} == {("error", "no_result")}
    report = await publish_and_wait(path, stream, out, 3, resume=True)
    assert report.counts.addresses == 0
    assert report.results == {"ok": 29, "empty_text": 1}


async def test_the_first_answer_to_a_batch_counts(stream: KafkaSettings, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in.csv", 5)

    def differently(identifier: str, text: str) -> AddressResult:
        return echo(identifier, text).model_copy(update={"adcode": "000000"})

    report = await publish_and_wait(path, stream, tmp_path / "out.csv", 1)
    async with StandInWorker(stream, differently) as worker:
        await worker.follow(1)
    again = await publish_and_wait(path, stream, tmp_path / "out.csv", 0, resume=True)
    assert again.run_id == report.run_id
    assert "000000" not in (tmp_path / "out.csv").read_text("utf-8-sig")


async def test_the_command_waits_counts_and_leaves_with_its_code(
    stream: KafkaSettings, tmp_path: Path, mgeo: Mgeo
) -> None:
    path = write_rows(tmp_path / "in.csv", 12)
    with path.open("a", encoding="utf-8") as file:
        file.write("too,few\n")

    out = str(tmp_path / "out.csv")
    command = ("publish", str(path), "--output", "json", "--wait", "--out", out)
    code, _, errors = await mgeo(*command, "--timeout", "500ms")
    assert code == 124
    assert "no result came for 500ms" in errors
    assert not [line for line in errors.splitlines() if "京" in line]
    async with StandInWorker(stream) as worker:
        await worker.follow(1)
    code, printed, errors = await mgeo(*command, "--resume")
    assert (code, errors) == (0, "")
    counts = json.loads(printed)
    assert (counts["already_published"], counts["malformed"]) == (12, 1)
    assert counts["results"] == {"ok": 11, "empty_text": 1}
    assert (tmp_path / "in.csv.rejects.csv").read_text("utf-8-sig").splitlines() == [
        "line,code,raw",
        '14,too_few_columns,"too,few"',
    ]
    code, _, errors = await mgeo(*command, "--again", "--source", "s" * 201)
    assert code == 2
    assert "a source has at most 200 characters" in errors
    code, _, errors = await mgeo(*command, "--again", "--strict")
    assert code == 1
    assert "line 14 is malformed (too_few_columns); nothing was published" in errors


async def test_what_no_record_can_carry_is_in_the_rejects_file(
    tmp_path: Path, mgeo: Mgeo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.csv"
    long_id, longer_id = "i" * 300, "i" * 401
    path.write_text(
        f"id,地址\n{long_id},京路1号\n{longer_id},京路2号\n3,{'京' * 2000}\n", encoding="utf-8"
    )
    limits = {"max_id_chars": 400, "max_record_bytes": 4096, "max_addresses": 10}
    monkeypatch.setenv("MGEO_LIMITS", json.dumps(limits))
    code, printed, errors = await mgeo("publish", str(path), "--output", "json")
    assert (code, errors) == (0, "")
    counts = json.loads(printed)
    assert counts["published"] == 1
    assert counts["by_code"] == {"bad_id": 1, "text_too_long": 1}
    with (tmp_path / "in.csv.rejects.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1:] == [
            ["3", "bad_id", f"{longer_id}\t京路2号"],
            ["4", "text_too_long", f"3\t{'京' * 2000}"],
        ]


async def test_a_pipe_is_checked_as_a_whole_and_then_sent(
    tmp_path: Path, mgeo: Mgeo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    os.write(writing, "京路1号\n京路2号\n".encode())
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        command = ("publish", "-", "--format", "text", "--strict", "--output", "json")
        code, printed, errors = await mgeo(*command)
    assert (code, errors) == (0, "")
    assert json.loads(printed)["published"] == 2
