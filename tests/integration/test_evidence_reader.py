"""Evidence read from a real broker: exact ends, transactions, holes, strangers, restarts."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from contracts.errors import TransientError
from contracts.events import AddressResult, ShadowPair
from contracts.judgement import Judgement
from contracts.rollout import Cut, Rollout
from contracts.settings import KafkaSettings, client_options
from producer.topic_log import TopicLog
from rollout.evidence.archive import export_evidence, refold
from rollout.evidence.reader import EvidenceReader, starting_positions
from tests.brokers.admin import TopicFactory
from tests.rollouts.pairs import (
    CANDIDATE,
    REFERENCE,
    Witness,
    pair_of,
    parsed,
    result_of,
    rollout_of,
)
from tests.rollouts.shadow_writer import EvidenceWriter
from tests.streams.eventually import eventually

pytestmark = pytest.mark.broker


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(2)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


@pytest.fixture
async def writer(stream: KafkaSettings) -> AsyncIterator[EvidenceWriter]:
    async with EvidenceWriter(stream) as writer:
        yield writer


class Reading:
    """One reader and what its judge was told."""

    def __init__(self, stream: KafkaSettings, rollout: Rollout, judge: Any = None) -> None:
        self.witness = Witness()
        self.reader = EvidenceReader(
            functools.partial(TopicLog, stream),
            stream.names,
            rollout,
            judge=self.witness if judge is None else judge,
        )

    async def __aenter__(self) -> Self:
        await self.reader.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reader.__aexit__(None, None, None)

    async def cut(self, number: int, writer: EvidenceWriter) -> tuple[Cut, Judgement]:
        async with asyncio.timeout(60):
            committed = await writer.committed()
            cut = await self.reader.take_cut(number, datetime.now(UTC), 1000 * number, committed)
            return cut, await self.reader.advance(cut)

    @property
    def said(self) -> tuple[object, ...]:
        trial, witness = self.reader.trial, self.witness
        told = witness.addresses, witness.batches, witness.parities, witness.looks
        return (trial.chain, trial.outcomes, trial.accounting, *map(tuple, told))


async def rollout_on(stream: KafkaSettings, **other: Any) -> Rollout:
    begun = await starting_positions(functools.partial(TopicLog, stream), stream.names)
    return rollout_of(evidence_from=begun, **other)


def pair(
    stream: KafkaSettings,
    offset: int,
    candidate: Sequence[AddressResult],
    reference: Sequence[AddressResult] | None = None,
    **other: Any,
) -> ShadowPair:
    return pair_of(offset, candidate, reference, topic=stream.names.events, **other)


def text(number: int) -> str:
    return f"浙江省杭州市文三路{number}号"


async def test_a_rollout_is_folded_from_its_logs_and_again_after_a_restart(
    stream: KafkaSettings, writer: EvidenceWriter, tmp_path: Path
) -> None:
    await writer.raw(pair(stream, 0, [parsed("旧")]).model_dump_json().encode())  # before it began
    rollout = await rollout_on(stream)
    cuts: list[Cut] = []
    async with Reading(stream, rollout) as first:
        # Every second one leaves a marker somewhere behind it: an offset without a record.
        at = [
            await writer.publish([text(number)], transaction=number % 2 == 0) for number in range(4)
        ]
        await writer.publish([text(9)], partition=1)
        await writer.pairs(
            [
                pair(stream, at[0], [parsed(text(0))], batch="d-1"),
                pair(stream, at[1], [parsed(text(1))], batch="d-1"),
            ],
            {0: at[2]},
        )
        await writer.begin()
        await writer.write_open([pair(stream, at[2], [parsed("撤销")])], {0: at[2] + 1})
        await writer.abort()
        cuts.append((await first.cut(1, writer))[0])
        assert first.reader.trial.accounting.paired == 2
        assert first.reader.trial.accounting.candidate_failed == 0, "a marker is no record"

        await writer.raw(b"\xff{", partition=1)
        await writer.raw(None, partition=1)
        foreign = pair(stream, at[2], [parsed("别人")], rollout_id="r-other")
        await writer.raw(foreign.model_dump_json().encode())
        await writer.pairs([pair(stream, at[2], [parsed(text(2))])], {0: at[3]})
        await writer.pairs([pair(stream, 0, [parsed(text(9))], partition=1)], {1: 1})
        await writer.raw(pair(stream, at[0], [parsed(text(0))]).model_dump_json().encode())
        # The last record of partition 0 is passed without a pair.
        await writer.pairs([], {0: at[3] + 1})
        await writer.parsed(
            result_of(at[0], [parsed(text(0))], topic=stream.names.events),
            result_of(at[1], [parsed(text(1), {"city": "浙"})], topic=stream.names.events),
            result_of(at[2], [parsed(text(2))], model=CANDIDATE, topic=stream.names.events),
            # Of the interactive input, which no shadow reads: counted, and compared with nothing.
            result_of(at[3], [parsed("急")], model=CANDIDATE, topic=stream.names.interactive),
            result_of(at[2], [parsed("急")], topic=stream.names.interactive),
        )
        cuts.append((await first.cut(2, writer))[0])
        said = first.said

    counts = first.reader.trial.accounting
    assert (counts.paired, counts.candidate_failed, counts.repeated) == (4, 1, 1)
    assert counts.sampled == 5
    assert (counts.partitions_with_traffic, counts.partitions_with_pairs) == (2, 2)
    assert first.reader.corrupt == 2
    assert first.reader.trial.ignored == 1
    assert [one.agrees for one in first.witness.parities] == [True, False]
    assert [one.batch_id for one in first.witness.batches] == ["d-1"]
    assert first.reader.trial.served(REFERENCE.key, 7) == (3, 0)
    assert first.reader.trial.served(CANDIDATE.key, 7) == (2, 0)
    assert first.witness.looks[-1].expired == ()

    later = await writer.publish([text(5)])  # it is in no recorded cut
    await writer.pairs([pair(stream, later, [parsed(text(5))])], {0: later + 1})
    async with Reading(stream, rollout) as second:
        for cut in cuts:
            recorded = Cut.model_validate_json(cut.model_dump_json())
            await second.reader.advance(recorded)
        assert second.said == said

    path, done = tmp_path / "evidence.parquet", []
    await export_evidence(
        functools.partial(TopicLog, stream),
        stream.names,
        rollout,
        cuts,
        path,
        progress=lambda *now: done.append(now),
    )
    assert done == [(1, 2), (2, 2)]
    witness = Witness()
    refolded = refold(path, rollout, cuts, judge=witness)
    told = witness.addresses, witness.batches, witness.parities, witness.looks
    archived = (refolded.chain, refolded.outcomes, refolded.accounting, *map(tuple, told))
    assert archived == said


async def test_pairs_of_partitions_that_are_added_later_are_read_and_not_missing(
    stream: KafkaSettings,
) -> None:
    """Else giving the input more partitions would look like a candidate that loses records."""
    names = stream.names
    rollout = await rollout_on(stream)
    async with Reading(stream, rollout) as old:
        await add_partitions(stream, 3, names.events, names.shadow, names.parsed)
        async with EvidenceWriter(stream) as writer:
            at = await writer.publish([text(0)], partition=2)
            await writer.pairs([pair(stream, at, [parsed(text(0))], partition=2)], {2: at + 1})

            async def seen() -> bool:
                return 2 in await writer.committed()

            await eventually(seen, "the shadow's commit")
            with pytest.raises(TransientError) as caught:
                await old.cut(1, writer)
            assert caught.value.code == "evidence_repartitioned"

            async with Reading(stream, rollout) as opened_again:
                await opened_again.cut(1, writer)
    counts = opened_again.reader.trial.accounting
    assert (counts.paired, counts.candidate_failed) == (1, 0)


async def add_partitions(stream: KafkaSettings, total: int, *topics: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()

    async def led() -> bool:
        found = await admin.describe_topics(list(topics))
        return all(
            len(topic["partitions"]) == total
            and all(one["leader"] >= 0 for one in topic["partitions"])
            for topic in found
        )

    try:
        await admin.create_partitions({topic: NewPartitions(total) for topic in topics})
        await eventually(led, f"{total} partitions")
    finally:
        await admin.close()


async def test_a_pair_in_an_open_transaction_is_late_and_not_missing(
    stream: KafkaSettings, writer: EvidenceWriter
) -> None:
    rollout = await rollout_on(stream)
    await writer.publish([text(0)])
    await writer.publish([text(1)], partition=1)
    async with Reading(stream, rollout) as reading:
        await writer.begin()
        await writer.write_open([pair(stream, 0, [parsed(text(0))])])
        # The commit is seen already, as it may be before the pair's marker is written.
        cut = await reading.reader.take_cut(1, datetime.now(UTC), 0, {0: 1, 1: 1})
        await reading.reader.advance(cut)
        assert 0 not in cut.shadow_committed, "partition 0 waits"
        counts = reading.reader.trial.accounting
        assert counts.candidate_failed == 1, "partition 1 has a real hole"

        await writer.commit()
        cut = await reading.reader.take_cut(2, datetime.now(UTC), 0, {0: 1, 1: 1})
        await reading.reader.advance(cut)
        counts = reading.reader.trial.accounting
        assert (counts.paired, counts.candidate_failed) == (1, 1)


async def test_holes_count_by_the_addresses_of_the_records_that_stand_there(
    stream: KafkaSettings, writer: EvidenceWriter
) -> None:
    rollout = await rollout_on(stream)
    await writer.publish([text(0), "", text(1)])
    await writer.raw(b"not json", topic=stream.names.events)
    last = await writer.publish([text(2)], transaction=True)
    crashing = await writer.publish([text(3), "\u200b", text(4)])
    crashed = pair(stream, crashing, [], [], errors=("candidate_crashed", None))
    await writer.pairs([crashed], {0: crashing + 1})
    async with Reading(stream, rollout) as reading:
        await reading.cut(1, writer)

    counts = reading.reader.trial.accounting
    assert (counts.sampled, counts.candidate_failed, counts.unreadable) == (4, 3, 1)
    told = [(one.offset, one.index, one.candidate_error) for one in reading.witness.addresses]
    assert told == [
        (0, 0, True),
        (0, 2, True),
        (last, 0, True),
        (crashing, 0, True),
        (crashing, 2, True),
    ]


async def test_other_specs_in_mid_rollout_spoil_the_evidence(
    stream: KafkaSettings, writer: EvidenceWriter
) -> None:
    rollout = await rollout_on(stream)
    await writer.publish([text(0)])
    changed = CANDIDATE.model_copy(update={"fingerprint": "a" * 16})
    await writer.pairs([pair(stream, 0, [parsed(text(0))], specs=(changed, REFERENCE))], {0: 1})
    async with Reading(stream, rollout) as reading:
        _, judgement = await reading.cut(1, writer)

    assert (judgement.verdict, judgement.code) == ("inconclusive", "runtime_changed")


async def test_a_long_catch_up_is_cut_into_portions_that_say_the_same(
    stream: KafkaSettings, writer: EvidenceWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = await rollout_on(stream)
    for number in range(60):
        await writer.publish([text(number)], partition=number % 2, transaction=number % 7 == 0)
    offsets: dict[int, list[int]] = {0: [], 1: []}
    async with TopicLog(stream, stream.names.events) as log:
        log.seek(await log.beginnings())
        ends = await log.ends()
        while not await log.passed(ends):
            for record in await log.poll():
                offsets[record.partition].append(record.offset)
    for partition, known in offsets.items():
        for start in range(0, len(known), 5):
            some = [one for one in known[start : start + 5] if one != known[12]]
            pairs = [
                pair(stream, one, [parsed(text(1000 * (partition + 1) + one))], partition=partition)
                for one in some
            ]
            await writer.pairs(pairs, {partition: some[-1] + 1})
            results = [
                result_of(
                    one,
                    [parsed(text(1000 * (partition + 1) + one))],
                    partition=partition,
                    topic=stream.names.events,
                )
                for one in some
            ]
            await writer.parsed(*results)

    async with Reading(stream, rollout) as whole:
        await whole.cut(1, writer)
        assert not whole.reader.behind
    monkeypatch.setattr("rollout.evidence.portions.RECORDS_MAX", 10)
    monkeypatch.setattr("rollout.evidence.portions.RECORDS_MIN", 10)
    # What lies beyond a cut's end is read again, where it would pile up.
    monkeypatch.setattr("rollout.evidence.tail._HELD_RECORDS", 3)
    async with Reading(stream, rollout) as portions:
        number = 0
        while number == 0 or portions.reader.behind:
            number += 1
            await portions.cut(number, writer)
            ahead = sum(len(one.ahead) for one in portions.reader.trial._partitions.values())
            assert ahead <= 10
        assert number > 5

    one, other = whole.reader.trial, portions.reader.trial
    assert one.accounting.candidate_failed == 2
    assert one.accounting == other.accounting.model_copy(
        update={"newest_input_ms": one.accounting.newest_input_ms}
    )
    assert len(whole.witness.parities) == len(portions.witness.parities)
    assert {a.unit for a in whole.witness.addresses} == {a.unit for a in portions.witness.addresses}


async def test_evidence_that_retention_deleted_is_named_and_passed_over(
    stream: KafkaSettings, writer: EvidenceWriter
) -> None:
    rollout = await rollout_on(stream)
    for number in range(4):
        await writer.publish([text(number)])
    await writer.raw(pair(stream, 0, [parsed(text(0))]).model_dump_json().encode())
    await writer.delete_before(stream.names.shadow, 1)
    for number in (1, 3):
        await writer.raw(pair(stream, number, [parsed(text(number))]).model_dump_json().encode())
    await writer.pairs([], {0: 4})
    await writer.delete_before(stream.names.events, 1)
    async with Reading(stream, rollout) as reading:
        await reading.cut(1, writer)

    counts = reading.reader.trial.accounting
    assert reading.witness.looks[-1].expired == (0,)
    # Record 2 is there without a pair; record 0, of which nothing is left, is nobody's failure.
    assert (counts.paired, counts.candidate_failed) == (2, 1)
