"""How long partitions took to adopt each serving epoch, from what Kafka itself has recorded.

The beginning is the time of the audit record of the move; the end is the time that the broker
put on the group's offset commit whose metadata names the epoch. No clock of a test is in it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.audit import AuditRecord
from contracts.offset_metadata import OffsetMetadata
from contracts.settings import KafkaSettings, client_options
from deploy.serving_ledger import read_audit

OFFSETS_TOPIC: Final = "__consumer_offsets"

_OFFSET_KEYS: Final = (0, 1)
"""Versions of keys that stand for an offset commit; others are about members."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One offset commit as the broker stored it.

    Attributes:
        partition: of the input.
        epoch: the serving epoch in its metadata.
        at_ms: when the broker took it in.
    """

    partition: int
    epoch: int
    at_ms: int


@dataclass
class Adoptions:
    """Milliseconds from the decision to each partition's commit, by serving epoch.

    Attributes:
        took_ms: by epoch, by partition; one that never adopted it, nor a later one, is missing.
        phases: what the rollout was going through then, by epoch.
    """

    took_ms: dict[int, dict[int, int]] = field(default_factory=dict)
    phases: dict[int, str] = field(default_factory=dict)

    def slowest_ms(self) -> int:
        """The slowest partition at the slowest epoch."""
        return max(took for one in self.took_ms.values() for took in one.values())

    def missing(self, partitions: int) -> list[str]:
        """Epochs that some partitions did not adopt, in words."""
        return [
            f"epoch {epoch} ({self.phases[epoch]}) on partitions "
            f"{sorted(set(range(partitions)) - set(took))}"
            for epoch, took in self.took_ms.items()
            if len(took) < partitions
        ]

    def __str__(self) -> str:
        return "; ".join(
            f"{self.phases[epoch]}: {min(took.values())} to {max(took.values())} ms"
            for epoch, took in self.took_ms.items()
            if took
        )


def adoptions(audit: Iterable[AuditRecord], commits: Sequence[Commit]) -> Adoptions:
    """Pure.

    Args:
        audit: the audit topic, in order.
        commits: of one group, in the order of the log within a partition.
    """
    found = Adoptions()
    highest: int | None = None
    for record in audit:
        entry = record.transition
        if entry is None:
            continue
        epoch = entry.serving.serving_epoch
        before, highest = highest, max(epoch, highest or epoch)
        if before is None or epoch <= before:  # the set that was there, or no other set
            continue
        decided_ms = round(datetime.fromisoformat(record.at).timestamp() * 1000)
        first: dict[int, int] = {}
        for commit in commits:
            if commit.epoch >= epoch:
                first.setdefault(commit.partition, commit.at_ms - decided_ms)
        found.took_ms[epoch], found.phases[epoch] = first, str(entry.phase)
    return found


async def read_adoptions(kafka: KafkaSettings) -> Adoptions:
    """Of the stable group, from Kafka alone."""
    commits = [
        commit
        for record in await _offset_commits(kafka)
        if (commit := _commit(record, kafka.names.stable_group, kafka.names.events)) is not None
    ]
    return adoptions(await read_audit(kafka), commits)


async def _offset_commits(kafka: KafkaSettings) -> list[ConsumerRecord]:
    """What the broker's own topic of offset commits holds, transactions that are open left out."""
    consumer = AIOKafkaConsumer(
        exclude_internal_topics=False,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **client_options(kafka),
    )
    await consumer.start()
    try:
        first = TopicPartition(OFFSETS_TOPIC, 0)
        consumer.assign([first])
        await consumer.end_offsets([first])  # aiokafka learns a topic's partitions on first use
        numbers = consumer.partitions_for_topic(OFFSETS_TOPIC) or ()
        partitions = [TopicPartition(OFFSETS_TOPIC, number) for number in numbers]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for some in (await consumer.getmany(timeout_ms=200)).values():
                records += some
        return records
    finally:
        await consumer.stop()


def _commit(record: ConsumerRecord, group: str, topic: str) -> Commit | None:
    """The record, if it is a commit of this group for this topic with a note of ours beside it."""
    key, value = record.key, record.value
    if key is None or value is None:
        return None
    (version,) = struct.unpack_from(">h", key)
    if version not in _OFFSET_KEYS:
        return None
    its_group, at = _string(key, 2)
    its_topic, at = _string(key, at)
    if (its_group, its_topic) != (group, topic):
        return None
    (partition,) = struct.unpack_from(">i", key, at)
    note = OffsetMetadata.decode(_metadata(value))
    if note is None:
        return None
    return Commit(partition, note.serving_epoch, record.timestamp)


def _metadata(value: bytes) -> str:
    """OffsetCommitValue: version, offset, from version 3 the leader's epoch, then the metadata.

    From version 4 on texts are compact: one more than their length, as a variable-length number.
    """
    (version,) = struct.unpack_from(">h", value)
    at = 2 + 8 + (4 if version >= 3 else 0)
    if version < 4:
        return _string(value, at)[0]
    length = shift = 0
    while True:
        byte = value[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value[at : at + length - 1].decode()


def _string(buffer: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", buffer, at)
    return buffer[at + 2 : at + 2 + length].decode(), at + 2 + length
