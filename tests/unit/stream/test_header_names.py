"""Header names that are not UTF-8: every record is read, and the lane sees which it was."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records

from contracts import header_names
from contracts.header_names import read_any_header_name, readable
from contracts.headers import ERROR_CODE, dead_letter_headers, header
from tests.streams.header_names import BAD_NAME, ESCAPED, Raw, batch_of
from tests.streams.lanes import Host, Message, message, settle
from tests.streams.memory import MemoryBroker, MemorySink

TP = TopicPartition("address.events", 0)


@pytest.fixture(params=["Cython", "Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parts of aiokafka that read batches: they fail differently."""
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)  # put back afterwards
    if request.param == "Python":
        monkeypatch.setattr(memory_records, "MemoryRecords", memory_records._MemoryRecordsPy)
        monkeypatch.setattr(
            memory_records, "DefaultRecordBatch", default_records._DefaultRecordBatchPy
        )
    read_any_header_name()
    return str(request.param)


def records_of(data: bytes, *, begin: int = 0) -> fetcher.PartitionRecords:
    """As a consumer that reads committed records makes it of an answer."""
    records = fetcher.MemoryRecords(data)
    return fetcher.PartitionRecords(TP, records, [], begin, None, None, True, 1)


def raws(*bad: int, count: int = 7) -> list[Raw]:
    return [Raw(f"v{n}".encode(), f"k{n}".encode(), n in bad) for n in range(count)]


@pytest.mark.parametrize("codec", [0, 1, 4])
@pytest.mark.parametrize("bad", [(), (0,), (3,), (6,), (0, 3, 4, 6)])
def test_every_record_of_a_batch_is_read_around_bad_names(codec: int, bad: tuple[int, ...]) -> None:
    read = list(records_of(batch_of(raws(*bad), codec=codec)))
    assert [one.offset for one in read] == list(range(7))
    assert [(one.key, one.value) for one in read] == [(one.key, one.value) for one in raws()]
    assert [one.timestamp - 1_700_000_000_000 for one in read] == list(range(7))
    for one in read:
        headers, well_named = readable(one.headers)
        assert well_named == (one.offset not in bad)
        names = ["app", ESCAPED, "none"] if one.offset in bad else ["app", "none"]
        assert [name for name, _ in headers] == names
        assert headers[-1] == ("none", None)


def test_it_reads_what_the_library_reads() -> None:
    data = batch_of(raws())
    batch = fetcher.MemoryRecords(data).next_batch()._batch
    ours = list(header_names._records(batch, memoryview(data)))
    for one, theirs in zip(ours, batch, strict=True):
        for name in ("offset", "timestamp", "timestamp_type", "key", "value", "checksum"):
            assert getattr(one, name) == getattr(theirs, name)
        assert list(one.headers) == list(theirs.headers)


def test_a_position_in_the_middle_of_a_batch_and_several_batches_are_kept() -> None:
    one, two = batch_of(raws(2)), bytearray(batch_of(raws(0)))
    two[:8] = (7).to_bytes(8, "big")  # the first offset is not part of what is checked
    partition = records_of(one + bytes(two), begin=3)
    assert [record.offset for record in partition] == list(range(3, 14))
    assert partition.next_fetch_offset == 14


def test_what_is_taken_in_parts_is_complete() -> None:
    state = SimpleNamespace(paused=False, position=0)
    state.consumed_to = lambda offset: setattr(state, "position", offset)
    result = fetcher.FetchResult(
        TP,
        assignment=SimpleNamespace(active=True, state_value=lambda _: state),
        partition_records=records_of(batch_of(raws(1, 2, 5))),
        backoff=0,
    )
    taken = []
    while result.has_more():
        taken.append([record.offset for record in result.getall(2)])
    assert taken == [[0, 1], [2, 3], [4, 5], [6]]
    assert state.position == 7


@pytest.mark.usefixtures("parser")
def test_a_batch_that_is_really_broken_is_still_an_error() -> None:
    good = bytearray(batch_of(raws()))
    good[57:61] = (5).to_bytes(4, "big")  # fewer records than there are
    partition = fetcher.PartitionRecords(
        TP, fetcher.MemoryRecords(bytes(good)), [], 0, None, None, False, 1
    )
    with pytest.raises(fetcher.Errors.CorruptRecordException):
        list(partition)


def test_a_batch_that_ends_too_early_is_an_error_and_not_read_past_its_end() -> None:
    data = batch_of(raws(0))
    batch = fetcher.MemoryRecords(data).next_batch()._batch
    for end in range(61, len(data)):
        with pytest.raises(fetcher.Errors.CorruptRecordException):
            list(header_names._records(batch, memoryview(data)[:end]))


def test_a_name_is_escaped_so_that_it_can_be_written_again() -> None:
    name = BAD_NAME.decode("utf-8", "surrogateescape")
    assert readable([("à", b"1"), (name, b"2"), ("b", b"")]) == (
        (("à", b"1"), (ESCAPED, b"2"), ("b", b"")),
        False,
    )
    assert readable([("à\\xb6", b"1")]) == ((("à\\xb6", b"1"),), True)


async def test_such_a_record_is_a_dead_letter_and_nothing_of_it_is_run() -> None:
    broker, host = MemoryBroker(), Host()
    lane = await host.open(MemorySink(broker, 0))
    name = BAD_NAME.decode("utf-8", "surrogateescape")
    good = message(0)
    lane.admit(good)
    lane.admit(Message(1, good.value, headers=((name, b"v"),)))
    lane.admit(message(2))
    await settle()
    assert host.pipeline.started == [0, 2]
    (letter,) = [r for r in [*lane._records.values()] if r.dead_letter is not None]
    assert letter.dead_letter.code == "bad_headers"
    headers = dead_letter_headers(
        letter.origin,
        code=letter.dead_letter.code,
        stage=letter.dead_letter.stage,
        error_class=letter.dead_letter.error_class,
        original=letter.headers,
    )
    assert header(headers, ESCAPED) == b"v"
    assert header(headers, ERROR_CODE) == b"bad_headers"
    for record in [*host.pipeline.inside]:
        host.pipeline.finish(record)
    await settle()
    published = broker.partitions[0].results
    assert [(one.topic, one.value) for one in published] == [
        ("out", b"0/0"),
        ("dlq", b"0/1"),
        ("out", b"0/2"),
    ]
    assert broker.partitions[0].offset == 3
    await lane.close(0)
