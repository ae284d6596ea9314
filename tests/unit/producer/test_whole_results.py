"""With --out a group's position is stored for a complete file, and for nothing less."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import openpyxl
import pytest
from aiokafka import TopicPartition

from contracts.errors import TransientError, UsageError
from contracts.events import Origin, ParsedBatch, Timing
from contracts.settings import KafkaSettings
from deploy.cli.result_sinks import File
from deploy.cli.results import _read
from producer import results
from producer.group_log import GroupLog
from producer.results import ResultReader
from producer.tables import TableFormat
from tests.streams.stand_in_worker import MODEL, echo

RECORDS = 10


class Member:
    """A consumer of one partition with ten results, in two polls, in a group of its own."""

    def __init__(self) -> None:
        self.stored: dict[TopicPartition, int] = {}
        self.held = {TopicPartition("t", 0)}
        self.position_ = 0

    def assignment(self) -> set[TopicPartition]:
        return self.held

    async def position(self, _: TopicPartition) -> int:
        return self.position_

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.stored.update(offsets)


class Log(GroupLog):
    """The group log itself, on that consumer: only what talks to a broker is left out."""

    opened: ClassVar[list[Log]] = []

    is_endless = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # Its consumer is made, and never started.
        super().__init__(*arguments, **options)
        self.opened.append(self)
        self.topic = "t"
        self.member = self._consumer = Member()
        self.shared_out_after: int | None = None
        self.waiting = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def ends(self) -> dict[int, int] | None:
        return {0: RECORDS}

    async def poll(self, timeout_ms: int = 200, max_records: int = 500) -> list[Any]:
        at = self.member.position_
        if at == self.shared_out_after:
            await self.revoke(self.member.held)
        if at == RECORDS and self.is_endless:
            self.waiting.set()
            await asyncio.sleep(60)
        self.member.position_ = min(RECORDS, at + 5)
        return [
            SimpleNamespace(topic="t", partition=0, offset=offset, value=message(offset))
            for offset in range(at, self.member.position_)
        ]

    async def passed(self, ends: Any) -> bool:
        return self.member.position_ == RECORDS and not self.is_endless


def message(offset: int) -> bytes:
    batch = ParsedBatch(
        batch_id=f"b{offset}",
        source="s",
        origin=Origin(topic="e", partition=0, offset=offset),
        model=MODEL,
        timing=Timing(queue_ms=1.0, service_ms=1.0, device="none"),
        results=(echo(str(offset), f"京路{offset}号"),),
    )
    return batch.model_dump_json().encode()


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[Log]:
    monkeypatch.setattr(results, "GroupLog", Log)
    monkeypatch.setattr(Log, "opened", [])
    return Log.opened


def reader(**options: Any) -> ResultReader:
    chosen = {"follow": False, "all_or_nothing": True, **options}
    return ResultReader(KafkaSettings(), group="crm", **chosen)


async def read_to(out: Path, fail: Callable[[int], None] = lambda _: None) -> None:
    sink = File(out, TableFormat(out.suffix[1:]), safe=False)
    take, taken = sink.take, 0

    def take_or_fail(batch: ParsedBatch) -> None:
        nonlocal taken
        taken += 1
        fail(taken)
        take(batch)

    sink.take = take_or_fail  # type: ignore[method-assign]
    await _read(reader(), sink, follow=False)


def nothing_in(folder: Path) -> bool:
    return not list(folder.iterdir())


async def test_a_complete_file_is_remembered(logs: list[Log], tmp_path: Path) -> None:
    await read_to(tmp_path / "new.csv")
    assert logs[0].member.stored == {TopicPartition("t", 0): RECORDS}
    assert len((tmp_path / "new.csv").read_text("utf-8-sig").splitlines()) == 1 + RECORDS


async def test_a_file_that_cannot_be_written_further_is_not(
    logs: list[Log], tmp_path: Path
) -> None:
    def fail(taken: int) -> None:
        if taken == 8:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await read_to(tmp_path / "new.csv", fail)
    assert logs[0].member.stored == {}
    assert nothing_in(tmp_path)


async def test_a_workbook_that_cannot_be_finished_is_not(
    logs: list[Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = openpyxl.Workbook.save

    def full(book: openpyxl.Workbook, path: Path) -> None:
        save(book, path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openpyxl.Workbook, "save", full)
    with pytest.raises(OSError, match="No space"):
        await read_to(tmp_path / "new.xlsx")
    assert logs[0].member.stored == {}
    assert nothing_in(tmp_path)


async def test_a_sheet_that_has_no_room_is_not(
    logs: list[Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.tables.sheet_table.MAX_ROWS", 7)
    with pytest.raises(UsageError, match="ends at row"):
        await read_to(tmp_path / "new.xlsx")
    assert logs[0].member.stored == {}


async def test_a_run_that_is_interrupted_is_not(
    logs: list[Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Log, "is_endless", True)
    task = asyncio.create_task(read_to(tmp_path / "new.csv"))
    while not logs:  # noqa: ASYNC110  (the log is made inside)
        await asyncio.sleep(0)
    await logs[0].waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert logs[0].member.stored == {}
    assert nothing_in(tmp_path)


async def test_following_ends_with_a_complete_file_that_is_remembered(
    logs: list[Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Log, "is_endless", True)
    sink = File(tmp_path / "new.csv", TableFormat.CSV, safe=False)
    task = asyncio.create_task(_read(reader(follow=True), sink, follow=True))
    while not logs:  # noqa: ASYNC110  (the log is made inside)
        await asyncio.sleep(0)
    await logs[0].waiting.wait()
    signal.raise_signal(signal.SIGTERM)
    await task
    assert logs[0].member.stored == {TopicPartition("t", 0): RECORDS}
    assert len((tmp_path / "new.csv").read_text("utf-8-sig").splitlines()) == 1 + RECORDS


async def test_a_group_that_is_shared_out_anew_ends_the_file(
    logs: list[Log], tmp_path: Path
) -> None:
    def share_out_after_five(_: int) -> None:
        logs[0].shared_out_after = 5

    with pytest.raises(TransientError, match="joined or left the group"):
        await read_to(tmp_path / "new.csv", share_out_after_five)
    assert logs[0].member.stored == {}
    assert nothing_in(tmp_path)


async def test_a_group_that_is_shared_out_before_the_first_result_does_no_harm(
    logs: list[Log],
) -> None:
    async with reader() as opened:
        logs[0].shared_out_after = 0
        assert len([batch async for batch in opened]) == RECORDS
    assert logs[0].member.stored == {TopicPartition("t", 0): RECORDS}


async def test_a_position_that_could_not_be_stored_at_the_end_is_said(logs: list[Log]) -> None:
    async def read() -> None:
        async with reader() as opened:
            assert len([batch async for batch in opened]) == RECORDS
            logs[0].member.held = set()

    with pytest.raises(TransientError, match="was not stored"):
        await read()


async def test_without_a_whole_what_was_dealt_with_is_remembered(logs: list[Log]) -> None:
    async def read() -> None:
        async with reader(all_or_nothing=False) as opened:
            async for batch in opened:
                if batch.batch_id == "b7":
                    raise RuntimeError("while handling the eighth")

    with pytest.raises(RuntimeError, match="the eighth"):
        await read()
    assert logs[0].member.stored == {TopicPartition("t", 0): 7}
