"""What ResultReader promises, on a real broker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from contracts.errors import TransientError
from contracts.settings import KafkaSettings, client_options
from producer import AddressPublisher, ResultReader
from tests.brokers.admin import TopicFactory
from tests.streams.command import MgeoOn
from tests.streams.stand_in_worker import StandInWorker
from tests.streams.topic import everything

pytestmark = pytest.mark.broker


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(3)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def publish(stream: KafkaSettings, count: int, source: str, start: int = 0) -> list[str]:
    ids = [f"{source}-{number:03d}" for number in range(start, start + count)]
    async with AddressPublisher(stream) as publisher:
        for batch_id in ids:
            await publisher.publish(["某路1号"], source=source, batch_id=batch_id)
    return ids


async def read(stream: KafkaSettings, **options: object) -> list[str]:
    async with asyncio.timeout(30):
        async with ResultReader(stream, follow=False, **options) as reader:  # type: ignore[arg-type]
            return sorted([batch.batch_id async for batch in reader])


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_reading_to_the_end_gives_every_committed_result_once(
    stream: KafkaSettings,
) -> None:
    orders = await publish(stream, 20, "orders")
    others = await publish(stream, 5, "others")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
    assert await read(stream) == sorted(orders + others)
    assert await read(stream, source="orders") == orders
    assert await read(stream, batch_id="others-003") == ["others-003"]
    assert await read(stream, start="end") == []


async def test_an_empty_topic_ends_at_once(stream: KafkaSettings) -> None:
    assert await read(stream) == []


async def test_open_and_aborted_transactions_are_not_seen(stream: KafkaSettings) -> None:
    await publish(stream, 1, "a")
    (record,) = await everything(stream, stream.names.events)
    producer = AIOKafkaProducer(
        **client_options(stream), transactional_id=f"{stream.topic_prefix}aborting"
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(stream.names.parsed, b"{}", partition=0)
        assert await read(stream) == []  # open
        await producer.abort_transaction()
        assert await read(stream) == []  # aborted: nothing but a marker is behind it
    finally:
        await producer.stop()
    async with StandInWorker(stream) as worker:
        await worker.answer([record])
    assert await read(stream) == ["a-000"]


async def test_since_begins_at_a_moment(stream: KafkaSettings) -> None:
    await publish(stream, 3, "early")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
        await asyncio.sleep(0.05)
        moment = datetime.now(UTC)
        await publish(stream, 2, "late")
        records = await everything(stream, stream.names.events)
        await worker.answer([r for r in records if b"late" in r.value])
    assert await read(stream, since=moment) == ["late-000", "late-001"]
    assert await read(stream, since=datetime(2100, 1, 1, tzinfo=UTC)) == []


async def test_a_group_goes_on_where_it_stopped(stream: KafkaSettings) -> None:
    first = await publish(stream, 10, "first")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
        assert await read(stream, group="team") == first
        assert await read(stream, group="team") == []
        assert await read(stream, group="another") == first
        second = await publish(stream, 4, "second")
        records = await everything(stream, stream.names.events)
        await worker.answer([r for r in records if b"second" in r.value])
    assert await read(stream, group="team") == second


async def test_a_reader_that_fails_gets_the_unfinished_result_again(
    stream: KafkaSettings,
) -> None:
    names = await publish(stream, 5, "x")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
    seen: list[str] = []

    async def handle_three_and_fail() -> None:
        async with ResultReader(stream, group="g", follow=False) as reader:
            async for batch in reader:
                if len(seen) == 3:
                    raise RuntimeError("while handling the fourth")
                seen.append(batch.batch_id)

    with pytest.raises(RuntimeError, match="while handling"):
        await handle_three_and_fail()
    assert sorted(seen + await read(stream, group="g")) == names


async def test_a_whole_that_fails_is_read_again_from_its_beginning(
    stream: KafkaSettings,
) -> None:
    names = await publish(stream, 5, "x")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))

    async def handle_three_and_fail() -> None:
        handled = 0
        async with ResultReader(stream, group="g", follow=False, all_or_nothing=True) as reader:
            async for _ in reader:
                if handled == 3:
                    raise RuntimeError("while handling the fourth")
                handled += 1

    with pytest.raises(RuntimeError, match="while handling"):
        await handle_three_and_fail()
    assert await read(stream, group="g", all_or_nothing=True) == names
    assert await read(stream, group="g", all_or_nothing=True) == []


async def test_a_whole_that_another_member_broke_into_is_not_remembered(
    stream: KafkaSettings,
) -> None:
    names = await publish(stream, 9, "x")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
    seen: list[str] = []
    all_seen = asyncio.Event()

    async def follow_as_a_whole() -> None:
        async with ResultReader(stream, group="g", all_or_nothing=True) as reader:
            async for batch in reader:
                seen.append(batch.batch_id)
                if len(seen) == len(names):
                    all_seen.set()

    async with asyncio.timeout(90):
        first = asyncio.create_task(follow_as_a_whole())
        await all_seen.wait()
        async with ResultReader(stream, group="g"):
            with pytest.raises(TransientError, match="joined or left the group"):
                await first
    assert sorted(seen) == names
    assert await read(stream, group="g") == names


async def test_the_command_remembers_a_complete_file_and_no_other(
    stream: KafkaSettings, tmp_path: Path, mgeo_on: MgeoOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(stream, 6, "x")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
    mgeo = mgeo_on(stream)
    monkeypatch.setattr("producer.tables.sheet_table.MAX_ROWS", 4)
    code, _, errors = await mgeo("results", "--group", "crm", "--out", str(tmp_path / "new.xlsx"))
    assert (code, "an Excel sheet ends at row 4" in errors) == (2, True)
    for expected in (6, 0):
        out = tmp_path / f"new-{expected}.csv"
        code, printed, errors = await mgeo("results", "--group", "crm", "--out", str(out))
        assert (code, errors) == (0, "")
        assert printed.startswith(f"{expected} results written")
    assert names_in(tmp_path) >= {"new-0.csv", "new-6.csv"}
    assert not any("xlsx" in name for name in names_in(tmp_path))


async def test_an_unreadable_record_is_counted_and_passed(stream: KafkaSettings) -> None:
    await publish(stream, 1, "good")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
    producer = AIOKafkaProducer(**client_options(stream))
    await producer.start()
    for partition in range(3):
        await producer.send_and_wait(stream.names.parsed, b"not json", partition=partition)
        await producer.send_and_wait(stream.names.parsed, None, b"k", partition=partition)
    await producer.stop()
    async with ResultReader(stream, follow=False) as reader:
        assert [batch.batch_id async for batch in reader] == ["good-000"]
        assert reader.unreadable == 6


async def test_following_sees_what_comes_later(stream: KafkaSettings) -> None:
    async with asyncio.timeout(30), ResultReader(stream) as reader, StandInWorker(stream) as worker:
        answering = asyncio.create_task(worker.follow(4))
        names = await publish(stream, 4, "live")
        seen = []
        async for batch in reader:
            seen.append(batch.batch_id)
            if len(seen) == 4:
                break
        await answering
    assert sorted(seen) == names


async def test_members_of_a_group_share_the_results(stream: KafkaSettings) -> None:
    names = await publish(stream, 45, "x")
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))
    seen: dict[str, list[str]] = {"first": [], "second": []}
    enough = asyncio.Event()

    async def member(name: str) -> None:
        async with ResultReader(stream, group="shared") as reader:
            async for batch in reader:
                seen[name].append(batch.batch_id)
                await asyncio.sleep(0.15)  # longer in all than it takes to share out anew
                if {one for ids in seen.values() for one in ids} == set(names):
                    enough.set()

    async with asyncio.timeout(100):
        members = [asyncio.create_task(member(name)) for name in seen]
        await enough.wait()
        for task in members:
            task.cancel()
        await asyncio.gather(*members, return_exceptions=True)
    assert seen["first"]
    assert seen["second"]
    # Only what was in work when partitions changed hands may come again.
    assert sum(map(len, seen.values())) - len(names) <= 4
