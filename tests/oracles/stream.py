"""The oracle of the stream: nothing lost, nothing doubled, nothing out of order.

ids(results) and ids(dead letters) together are ids(input), each exactly once; results keep
the order of their input partition; committed offsets have reached the log's end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.headers import CONNECT_OFFSET, CONNECT_PARTITION, header
from contracts.settings import KafkaSettings, client_options
from tests.streams.topic import everything

Place = tuple[int, int]
"""(input partition, input offset)."""


@dataclass(frozen=True, slots=True)
class Output:
    """One published record: where its input was, and the address ids in it."""

    place: Place
    partition: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """Everything that is to be judged.

    Attributes:
        inputs: address ids of each input record; empty for one that nobody can read.
        results: parsed records in the order of the log, as a read_committed reader sees them.
        dead_letters: likewise.
        committed: the group's offset by partition.
        log_end: the input's end offset by partition.
    """

    inputs: Mapping[Place, tuple[str, ...]]
    results: Sequence[Output]
    dead_letters: Sequence[Output]
    committed: Mapping[int, int]
    log_end: Mapping[int, int]


def violations(seen: StreamSeen) -> list[str]:
    """What is wrong, in words; empty when all is well. Pure."""
    found: list[str] = []
    counts = Counter(out.place for out in (*seen.results, *seen.dead_letters))
    found += [f"lost: {place}" for place in sorted(set(seen.inputs) - set(counts))]
    found += [f"doubled: {place} {n} times" for place, n in sorted(counts.items()) if n > 1]
    found += [f"unknown origin: {place}" for place in sorted(set(counts) - set(seen.inputs))]
    for out in seen.results:
        if out.place in seen.inputs and out.ids != seen.inputs[out.place]:
            found.append(f"other addresses than the input's: {out.place}")
    for name, outputs in (("results", seen.results), ("dead letters", seen.dead_letters)):
        last: dict[int, int] = {}
        for out in outputs:
            partition, offset = out.place
            if out.partition != partition:
                found.append(f"{name}: {out.place} in partition {out.partition}")
            if offset < last.get(partition, -1):
                found.append(f"{name}: {out.place} after offset {last[partition]}")
            last[partition] = offset
    for partition, end in seen.log_end.items():
        committed = seen.committed.get(partition, 0)
        if end and committed != end:
            found.append(f"partition {partition}: committed {committed}, log end {end}")
    return found


async def look(kafka: KafkaSettings) -> StreamSeen:
    """Read everything that there is to judge, as a read_committed reader."""
    names = kafka.names
    inputs = await everything(kafka, names.events)
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(names.stable_group)
    finally:
        await admin.close()
    committed = {
        partition.partition: found.offset
        for partition, found in offsets.items()
        if partition.topic == names.events
    }
    log_end: dict[int, int] = {}
    for record in inputs:
        log_end[record.partition] = record.offset + 1
    return StreamSeen(
        inputs={(r.partition, r.offset): _input_ids(r.value) for r in inputs},
        results=[result_of(r) for r in await everything(kafka, names.parsed)],
        dead_letters=[dead_letter_of(r) for r in await everything(kafka, names.dead_letters)],
        committed=committed,
        log_end=log_end,
    )


async def backlog(kafka: KafkaSettings, seen_ends: Mapping[TopicPartition, int]) -> int:
    """Input records not yet committed, by the given ends."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(kafka.names.stable_group)
    finally:
        await admin.close()
    return sum(
        end - (max(offsets[tp].offset, 0) if tp in offsets else 0) for tp, end in seen_ends.items()
    )


def result_of(record: Any) -> Output:
    """One record of the result topic."""
    message = json.loads(record.value)
    origin = message["origin"]
    ids = tuple(result["id"] for result in message["results"])
    return Output((origin["partition"], origin["offset"]), record.partition, ids)


def dead_letter_of(record: Any) -> Output:
    """One record of the dead-letter topic."""
    partition = header(record.headers, CONNECT_PARTITION)
    offset = header(record.headers, CONNECT_OFFSET)
    assert partition is not None
    assert offset is not None
    return Output((int(partition), int(offset)), record.partition, ())


def _input_ids(value: bytes | None) -> tuple[str, ...]:
    try:
        return tuple(str(address["id"]) for address in json.loads(value or b"")["addresses"])
    except (ValueError, KeyError, TypeError):
        return ()
