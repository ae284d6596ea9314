"""Asking the log itself which batches of a run have arrived. Reads headers, no address."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import UsageError
from contracts.headers import header
from contracts.settings import KafkaSettings
from producer.publishing.confirmed import Known
from producer.publishing.plan import batch_index
from producer.topic_log import Offsets, TopicLog


@dataclass(frozen=True, slots=True)
class Arrived:
    """Which batches are in the log, and its ends when that was seen."""

    indexes: frozenset[int]
    ends: Offsets


async def read_back(kafka: KafkaSettings, topic: str, run_id: str, known: Known) -> Arrived:
    """Every batch of a run that is in the log, known or found at or above the floors.

    Raises:
        UsageError: ``resume_expired`` when part of the log is gone that could tell;
            ``another_topic`` when the log ends before the floors.
    """
    found = set(range(known.prefix)) | set(known.beyond)
    # Uncommitted too: what is there counts, and this project publishes without transactions.
    async with TopicLog(kafka, topic, committed_only=False) as log:
        beginnings, ends = await log.beginnings(), await log.ends()
        for partition, floor in known.floors.items():
            if floor > ends.get(partition, -1):
                raise UsageError(
                    f"{topic}/{partition} ends before offset {floor}, where this run had been",
                    code="another_topic",
                    hint="the topic was made anew since; publish with --again",
                )
            if beginnings[partition] > floor:
                raise UsageError(
                    f"{topic}/{partition} begins at {beginnings[partition]} by now: what this "
                    f"run had sent from offset {floor} on can no longer be known",
                    code="resume_expired",
                    hint="the topic's retention removed it; --again sends the whole file anew",
                )
        log.seek({part: known.floors.get(part, beginnings[part]) for part in log.partitions})
        while not await log.passed(ends):
            for record in await log.poll():
                identifier = header(record.headers, "ce_id")
                if identifier is not None:
                    index = batch_index(run_id, identifier.decode("utf-8", "replace"))
                    if index is not None:
                        found.add(index)
    return Arrived(frozenset(found), ends)
