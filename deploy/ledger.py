"""The books of the stream: what came in against what came out, address by address.

Nothing lost, nothing doubled, nothing out of order: results and dead letters together are
the input, each record exactly once; results keep the order of their input partition; the
committed offsets have reached the log's end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from contracts.headers import CONNECT_OFFSET, CONNECT_PARTITION, CONNECT_TOPIC, ERROR_CODE, header
from contracts.settings import KafkaSettings
from producer.topic_log import TopicLog
from rollout.group_notes import group_notes


class Lane(NamedTuple):
    """One partition of one input."""

    topic: str
    partition: int


class Place(NamedTuple):
    """Where an input record is."""

    topic: str
    partition: int
    offset: int

    @property
    def lane(self) -> Lane:
        """Its partition."""
        return Lane(self.topic, self.partition)

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Output:
    """One published record.

    Attributes:
        place: where its input is.
        partition: where it was written.
        ids: the address ids in it; empty for a dead letter.
        error: a dead letter's code.
        versions: the model versions that its results name.
    """

    place: Place
    partition: int
    ids: tuple[str, ...]
    error: str = ""
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is to be judged.

    Attributes:
        inputs: address ids of each input record; empty for one that nobody can read.
        results: parsed records in the order of the log, as a read_committed reader sees them.
        dead_letters: likewise.
        committed: the group's offset by partition of each input.
        log_end: one past the last input record, likewise.
    """

    inputs: Mapping[Place, tuple[str, ...]]
    results: Sequence[Output]
    dead_letters: Sequence[Output]
    committed: Mapping[Lane, int]
    log_end: Mapping[Lane, int]

    @property
    def caught_up(self) -> bool:
        """True when every input record is committed."""
        return all(self.committed.get(p, 0) >= end for p, end in self.log_end.items())


def violations(books: Books) -> list[str]:
    """What is wrong, in words; empty when the books balance. Pure."""
    found: list[str] = []
    counts = Counter(out.place for out in (*books.results, *books.dead_letters))
    found += [f"lost: {place}" for place in sorted(set(books.inputs) - set(counts))]
    found += [f"doubled: {place} {n} times" for place, n in sorted(counts.items()) if n > 1]
    found += [f"unknown origin: {place}" for place in sorted(set(counts) - set(books.inputs))]
    for out in books.results:
        if out.place in books.inputs and out.ids != books.inputs[out.place]:
            found.append(f"other addresses than the input's: {out.place}")
    found += _disorder("results", books.results)
    found += _disorder("dead letters", books.dead_letters)
    for lane, end in books.log_end.items():
        committed = books.committed.get(lane, 0)
        if committed != end:
            found.append(f"{lane.topic}/{lane.partition}: committed {committed}, log end {end}")
    return found


def _disorder(name: str, outputs: Sequence[Output]) -> list[str]:
    found: list[str] = []
    last: dict[Lane, int] = {}
    for out in outputs:
        lane, offset = out.place.lane, out.place.offset
        if out.partition != lane.partition:
            found.append(f"{name}: {out.place} in partition {out.partition}")
        if offset < last.get(lane, -1):
            found.append(f"{name}: {out.place} after offset {last[lane]}")
        last[lane] = offset
    return found


async def read_books(kafka: KafkaSettings) -> Books:
    """Read whole topics into memory; for demonstrations and tests, not for production sizes."""
    names = kafka.names
    inputs: dict[Place, tuple[str, ...]] = {}
    log_end: dict[Lane, int] = {}
    committed: dict[Lane, int] = {}
    for topic in names.inputs:
        for record in await read_topic(kafka, topic):
            place = Place(topic, record.partition, record.offset)
            inputs[place] = _input_ids(record.value)
            log_end[place.lane] = record.offset + 1
        offsets = await committed_offsets(kafka, names.stable_group, topic)
        committed |= {Lane(topic, partition): at for partition, at in offsets.items()}
    return Books(
        inputs=inputs,
        results=[result_of(r) for r in await read_topic(kafka, names.parsed)],
        dead_letters=[dead_letter_of(r) for r in await read_topic(kafka, names.dead_letters)],
        committed=committed,
        log_end=log_end,
    )


async def committed_offsets(kafka: KafkaSettings, group: str, topic: str) -> dict[int, int]:
    """A group's committed offset by partition of one topic."""
    return dict((await group_notes(kafka, group, topic)).offsets)


async def read_topic(kafka: KafkaSettings, topic: str) -> list[Any]:
    """Every committed record of a topic, up to its end as it is now."""
    async with TopicLog(kafka, topic) as log:
        log.seek(await log.beginnings())
        ends = await log.ends()
        records: list[Any] = []
        while not await log.passed(ends):
            records += await log.poll()
        return records


def result_of(record: Any) -> Output:
    """One record of the result topic."""
    message = json.loads(record.value)
    origin = message["origin"]
    ids = tuple(result["id"] for result in message["results"])
    place = Place(origin["topic"], origin["partition"], origin["offset"])
    return Output(place, record.partition, ids, versions=(message["model"]["version"],))


def dead_letter_of(record: Any) -> Output:
    """One record of the dead-letter topic."""
    topic = header(record.headers, CONNECT_TOPIC) or b""
    partition = header(record.headers, CONNECT_PARTITION) or b"-1"
    offset = header(record.headers, CONNECT_OFFSET) or b"-1"
    code = (header(record.headers, ERROR_CODE) or b"").decode()
    place = Place(topic.decode(), int(partition), int(offset))
    return Output(place, record.partition, (), error=code)


def _input_ids(value: bytes | None) -> tuple[str, ...]:
    try:
        return tuple(str(address["id"]) for address in json.loads(value or b"")["addresses"])
    except (ValueError, KeyError, TypeError):
        return ()
