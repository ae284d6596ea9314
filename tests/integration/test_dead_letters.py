"""Dead letters can be seen without their content, and replayed once."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from contracts.errors import MgeoError
from contracts.events import Origin
from contracts.headers import VALUE_DROPPED, dead_letter_headers, header
from contracts.replies import ReplyTo
from contracts.settings import KafkaSettings, client_options
from producer.dead_letters import Selection, read_letters, replay, replayed_offsets
from producer.dead_letters.letter import REPLAYED_FROM
from producer.dead_letters.replay import ledger_name
from tests.brokers.admin import TopicFactory
from tests.streams.command import Mgeo, MgeoOn
from tests.streams.topic import everything

pytestmark = pytest.mark.broker


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(3)
    settings = kafka.model_copy(update={"topic_prefix": names.prefix})
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    for number in range(12):
        partition = number % 3
        await producer.send_and_wait(
            names.dead_letters,
            f"secret {number}".encode(),
            key=f"k{number}".encode(),
            partition=partition,
            headers=dead_letter_headers(
                Origin(topic=names.events, partition=partition, offset=100 + number),
                code="not_json" if number < 9 else "crashed_worker",
                stage="VALUE_CONVERTER",
                error_class="PermanentError",
                original=[("ce_id", f"e{number}".encode()), ("x", b"y")],
            ),
        )
    await producer.stop()
    return settings


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn) -> Mgeo:
    return mgeo_on(stream)


async def ledgers(stream: KafkaSettings) -> dict[int, tuple[tuple[int, int], ...]]:
    return {p: ledger.ranges for p, ledger in (await replayed_offsets(stream)).items()}


async def test_letters_are_selected_by_code_partition_offset_and_time(
    stream: KafkaSettings,
) -> None:
    async def offsets(selection: Selection) -> list[tuple[int, int]]:
        return sorted(
            [(one.partition, one.offset) async for one in read_letters(stream, selection)]
        )

    everyone = [(part, offset) for part in range(3) for offset in range(4)]
    assert await offsets(Selection()) == everyone
    crashed = Selection(codes=frozenset({"crashed_worker"}))
    assert await offsets(crashed) == [(0, 3), (1, 3), (2, 3)]
    assert await offsets(Selection(partition=1, first=1, last=2)) == [(1, 1), (1, 2)]
    assert await offsets(Selection(partition=7)) == []
    assert await offsets(Selection(since=datetime(2100, 1, 1, tzinfo=UTC))) == []
    assert await offsets(Selection(since=datetime(2020, 1, 1, tzinfo=UTC))) == everyone


async def test_a_replayed_letter_is_the_original_record_again(stream: KafkaSettings) -> None:
    report = await replay(stream, Selection(codes=frozenset({"crashed_worker"})))
    assert report.replayed == {"crashed_worker": 3}
    records = await everything(stream, stream.names.events)
    assert sorted((r.partition, r.key, r.value) for r in records) == [
        (0, b"k9", b"secret 9"),
        (1, b"k10", b"secret 10"),
        (2, b"k11", b"secret 11"),
    ]
    first = next(record for record in records if record.partition == 0)
    assert list(first.headers) == [
        ("ce_id", b"e9"),
        ("x", b"y"),
        (REPLAYED_FROM, f"{stream.names.dead_letters}/0/3".encode()),
    ]


async def test_a_letter_goes_back_to_the_input_it_came_from_and_nobody_is_told(
    stream: KafkaSettings,
) -> None:
    names = stream.names
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        await producer.send_and_wait(
            names.dead_letters,
            b"urgent",
            partition=1,
            headers=dead_letter_headers(
                Origin(topic=names.interactive, partition=1, offset=7),
                code="model_gone",
                stage="TASK_PUT",
                error_class="PermanentError",
                original=[("x", b"y"), *ReplyTo(0, "gateway1", "r1", 1).headers()],
            ),
        )
    await replay(stream, Selection(codes=frozenset({"model_gone"})))
    assert await everything(stream, names.events) == []
    (record,) = await everything(stream, names.interactive)
    assert (record.partition, record.value) == (1, b"urgent")
    assert [name for name, _ in record.headers] == ["x", REPLAYED_FROM]


async def test_a_letter_that_had_no_room_for_its_bytes_is_not_sent_as_an_empty_record(
    stream: KafkaSettings,
) -> None:
    origin = Origin(topic=stream.names.events, partition=0, offset=7)
    headers = dead_letter_headers(
        origin, code="too_big", stage="TASK_PUT", error_class="PermanentError", original=()
    )
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        await producer.send_and_wait(
            stream.names.dead_letters, b"", headers=[*headers, (VALUE_DROPPED, b"9 sha256:00")]
        )
    report = await replay(stream, Selection(codes=frozenset({"too_big"})))
    assert (report.replayed, report.not_whole) == ({}, {"too_big": 1})
    assert await everything(stream, stream.names.events) == []


async def test_the_same_replay_twice_sends_once_unless_told(stream: KafkaSettings) -> None:
    dry = await replay(stream, Selection(), dry_run=True)
    assert sum(dry.replayed.values()) == 12
    assert await everything(stream, stream.names.events) == []
    await replay(stream, Selection(codes=frozenset({"crashed_worker"})))
    second = await replay(stream, Selection())
    assert second.replayed == {"not_json": 9}
    assert second.replayed_before == {"crashed_worker": 3}
    third = await replay(stream, Selection())
    assert third.replayed == {}
    records = await everything(stream, stream.names.events)
    assert Counter(header(r.headers, "ce_id") for r in records) == Counter(
        f"e{number}".encode() for number in range(12)
    )
    again = await replay(stream, Selection(partition=0, first=0, last=0), again=True)
    assert again.replayed == {"not_json": 1}
    assert len(await everything(stream, stream.names.events)) == 13
    last = await replay(stream, Selection())
    assert last.replayed == {}, "what was sent once more had made it forget the rest"
    assert await ledgers(stream) == dict.fromkeys(range(3), ((0, 3),))


async def test_a_replay_killed_before_its_commit_leaves_nothing_and_is_repeated_whole(
    stream: KafkaSettings,
) -> None:
    killed = AIOKafkaProducer(**client_options(stream), transactional_id=ledger_name(stream))
    await killed.start()
    try:
        await killed.begin_transaction()
        await killed.send_and_wait(stream.names.events, b"half", partition=0)
        await killed.send_offsets_to_transaction(
            {TopicPartition(stream.names.dead_letters, 0): 1}, ledger_name(stream)
        )
        # It neither commits nor aborts; the next replay takes over.
        report = await replay(stream, Selection())
    finally:
        with pytest.raises(Exception, match=r"Producer|[Ff]enced|epoch"):
            await killed.commit_transaction()
        await killed.stop()
    assert sum(report.replayed.values()) == 12
    values = [r.value for r in await everything(stream, stream.names.events)]
    assert b"half" not in values
    assert len(values) == 12
    assert await ledgers(stream) == dict.fromkeys(range(3), ((0, 3),))


async def test_negative_control_without_its_ledger_a_repeat_doubles(
    stream: KafkaSettings,
) -> None:
    await replay(stream, Selection())
    await replay(stream, Selection(), again=True)
    ids = Counter(header(r.headers, "ce_id") for r in await everything(stream, stream.names.events))
    assert set(ids.values()) == {2}


async def test_another_programs_group_is_not_taken_for_a_ledger(stream: KafkaSettings) -> None:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import OffsetAndMetadata

    pair = TopicPartition(stream.names.dead_letters, 0)
    other = AIOKafkaConsumer(
        **client_options(stream), group_id=ledger_name(stream), enable_auto_commit=False
    )
    await other.start()
    other.assign([pair])
    await other.commit({pair: OffsetAndMetadata(1, "somebody else's")})
    await other.stop()
    with pytest.raises(MgeoError) as caught:
        await replay(stream, Selection())
    assert caught.value.code == "bad_ledger"
    assert await everything(stream, stream.names.events) == []

    # The way out that the error names: that partition's ledger begins anew, the others go on.
    await replay(stream, Selection(partition=1, first=0, last=1), again=True)
    await replay(stream, Selection(partition=1, first=3, last=3), again=True)
    await replay(stream, Selection(partition=0, first=2, last=2), again=True)
    assert await ledgers(stream) == {0: ((2, 2),), 1: ((0, 1), (3, 3))}


async def test_the_commands_list_without_content_and_replay(
    stream: KafkaSettings, mgeo: Mgeo
) -> None:
    code, printed, errors = await mgeo(
        "dlq", "list", "--output", "json", "--code", "crashed_worker"
    )
    assert (code, errors) == (0, "")
    rows = [json.loads(line) for line in printed.splitlines()]
    first = next(row for row in rows if row["partition"] == 0)
    assert first["origin"] == f"{stream.names.events}/0/109"
    assert (first["offset"], first["bytes"], first["replayed"]) == (3, 8, False)
    assert "secret" not in printed
    _, printed, _ = await mgeo("dlq", "list", "--show-content", "--partition", "0")
    assert "secret 9" in printed
    code, _, errors = await mgeo("dlq", "replay")
    assert code == 2
    assert "--all" in errors
    code, printed, _ = await mgeo("dlq", "replay", "--code", "crashed_worker", "--dry-run")
    assert (code, printed) == (0, "3 would be replayed (3 crashed_worker)\n")
    _, printed, _ = await mgeo("dlq", "replay", "--code", "crashed_worker")
    assert printed == "3 replayed (3 crashed_worker)\n"
    _, printed, errors = await mgeo("dlq", "replay", "--code", "crashed_worker")
    assert printed == "0 replayed\n"
    assert "3 were replayed before" in errors
    _, printed, _ = await mgeo("dlq", "list", "--output", "json", "--code", "crashed_worker")
    assert {json.loads(line)["replayed"] for line in printed.splitlines()} == {True}
