"""Reading dead letters, and sending them back to the input, each once.

A replay is one transaction per group of records: the records in the input topic and the
ledger that says so. Killed in the middle and repeated, it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from contracts.errors import UsageError
from contracts.group_offsets import stored_offsets
from contracts.limits import MIB, Limits
from contracts.settings import KafkaSettings, client_options
from contracts.topics import RECORD_OVERHEAD_BYTES, TopicNames
from producer.connection import close, connect, translated
from producer.dead_letters.ledger import Ledger
from producer.dead_letters.letter import DeadLetter, Selection, letter_of
from producer.topic_log import Offsets, TopicLog

_GROUP_RECORDS = 500
_GROUP_BYTES = 8 * MIB
_COORDINATOR_WITHIN_S = 30.0
"""A group's coordinator can take seconds to be there: in a new cluster, after a restart."""


@dataclass(slots=True)
class ReplayReport:
    """What became of the selected dead letters, by code."""

    replayed: dict[str, int] = field(default_factory=dict)
    replayed_before: dict[str, int] = field(default_factory=dict)
    not_whole: dict[str, int] = field(default_factory=dict)
    """Their bytes had no room in the dead letter: only whoever published them has them."""


def ledger_name(kafka: KafkaSettings) -> str:
    """The group that holds the ledger, and the transactional id that guards it."""
    return f"{kafka.topic_prefix}mgeo.dlq.replay"


async def read_letters(kafka: KafkaSettings, selection: Selection) -> AsyncIterator[DeadLetter]:
    """The selected dead letters, from the beginning to the end as it is now."""
    async with TopicLog(kafka, kafka.names.dead_letters) as log:
        async for letter in _letters(log, selection):
            yield letter


async def replayed_offsets(
    kafka: KafkaSettings, *, skip_unreadable: bool = False
) -> dict[int, Ledger]:
    """The ledger of each partition of the dead-letter topic that has one.

    Args:
        kafka: how to reach it.
        skip_unreadable: leave out those that another program wrote.

    Raises:
        UsageError: ``bad_ledger`` at the first of them, where they are not left out.
    """
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await connect(admin, kafka)
    try:
        with translated(kafka):
            stored = await stored_offsets(admin, ledger_name(kafka), within_s=_COORDINATOR_WITHIN_S)
    finally:
        await admin.close()
    topic = kafka.names.dead_letters
    ledgers = {}
    for pair, entry in stored.items():
        if pair.topic != topic:
            continue
        try:
            ledgers[pair.partition] = Ledger.decode(entry.metadata)
        except UsageError:
            if not skip_unreadable:
                raise
    return ledgers


async def replay(
    kafka: KafkaSettings,
    selection: Selection,
    *,
    again: bool = False,
    dry_run: bool = False,
    limits: Limits | None = None,
) -> ReplayReport:
    """Send the selected dead letters back to the inputs.

    Each goes to the partition it came from, with its key, its bytes and its own headers,
    and a header that names the dead letter.

    Args:
        again: also those that were replayed before; what was replayed stays remembered.
        dry_run: only count them.
        limits: bounds on input records; default: the standard ones.

    Raises:
        UsageError: ``ledger_full``, ``no_topic``; without ``again`` also ``bad_ledger``.
        FatalError: another replay has taken over; what this one had finished counts.
    """
    report = ReplayReport()
    producer = AIOKafkaProducer(
        **client_options(kafka),
        client_id="mgeo-replay",
        transactional_id=ledger_name(kafka),
        max_request_size=(limits or Limits()).max_record_bytes + RECORD_OVERHEAD_BYTES,
    )
    if not dry_run:
        # Fences another replay, and ends what a killed one left open, before the ledger is read.
        await connect(producer, kafka)
    try:
        # Read even if it is not asked: a commit replaces a partition's whole ledger.
        ledgers = await replayed_offsets(kafka, skip_unreadable=again)
        async with TopicLog(kafka, kafka.names.dead_letters) as log:
            starts = await log.beginnings()
            group: list[DeadLetter] = []
            async for letter in _letters(log, selection):
                if not letter.whole:
                    _count(report.not_whole, letter)
                    continue
                if not again and letter.offset in ledgers.get(letter.partition, Ledger()):
                    _count(report.replayed_before, letter)
                    continue
                if dry_run:
                    _count(report.replayed, letter)
                    continue
                group.append(letter)
                if len(group) == _GROUP_RECORDS or sum(one.size for one in group) > _GROUP_BYTES:
                    await _send(producer, kafka, group, ledgers, starts, report)
                    group = []
            if group:
                await _send(producer, kafka, group, ledgers, starts, report)
    finally:
        if not dry_run:
            await close(producer)
    return report


async def _send(
    producer: Any,
    kafka: KafkaSettings,
    group: list[DeadLetter],
    ledgers: dict[int, Ledger],
    starts: Offsets,
    report: ReplayReport,
) -> None:
    topic = kafka.names.dead_letters
    after = dict(ledgers)
    for letter in group:
        partition = letter.partition
        after[partition] = after.get(partition, Ledger()).with_offsets(
            [letter.offset], log_start=starts[partition]
        )
    touched = {letter.partition for letter in group}
    commit = {
        TopicPartition(topic, partition): OffsetAndMetadata(
            after[partition].ranges[-1][1] + 1, after[partition].encode()
        )
        for partition in touched
    }
    with translated(kafka):
        homes = {
            name: await producer.partitions_for(name)
            for name in {_home_topic(letter, kafka.names) for letter in group}
        }
        async with producer.transaction():
            confirmations = [
                await producer.send(
                    home,
                    letter.value or b"",
                    key=letter.key,
                    partition=_home(letter, home, homes[home]),
                    headers=letter.replay_headers(),
                )
                for letter in group
                for home in (_home_topic(letter, kafka.names),)
            ]
            for confirmation in confirmations:
                await confirmation  # a failed one would be committed without
            await producer.send_offsets_to_transaction(commit, ledger_name(kafka))
    ledgers.update(after)
    for letter in group:
        _count(report.replayed, letter)


def _home_topic(letter: DeadLetter, names: TopicNames) -> str:
    """The input that the record came from; the bulk one where that is not known."""
    came_from = letter.origin[0] if letter.origin is not None else ""
    return came_from if came_from in names.inputs else names.events


def _home(letter: DeadLetter, topic: str, partitions: set[int]) -> int | None:
    """The partition that the record came from, as long as there is one like it."""
    if letter.origin is None or letter.origin[0] != topic or letter.origin[1] not in partitions:
        return None
    return letter.origin[1]


async def _letters(log: TopicLog, selection: Selection) -> AsyncIterator[DeadLetter]:
    if selection.partition is not None:
        log.only([one for one in log.partitions if one == selection.partition])
    if not log.partitions:
        return
    begin = await log.beginnings()
    if selection.since is not None:
        begin = await log.since(selection.since)
    elif selection.first is not None:
        first = selection.first
        begin = {part: max(offset, first) for part, offset in begin.items()}
    ends = await log.ends()
    log.seek({part: min(offset, ends[part]) for part, offset in begin.items()})
    while not await log.passed(ends):
        for record in await log.poll():
            letter = letter_of(record)
            if record.offset < ends[record.partition] and selection.has(letter):
                yield letter


def _count(counts: dict[str, int], letter: DeadLetter) -> None:
    counts[letter.code] = counts.get(letter.code, 0) + 1
