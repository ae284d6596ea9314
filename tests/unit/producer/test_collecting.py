"""A dead letter is believed only once no later answer can be waiting behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Self

import pytest

from contracts.events import Origin, ParsedBatch, Timing
from contracts.headers import ERROR_CODE
from contracts.settings import KafkaSettings
from producer.awaiting import Collector, Spill, collect
from producer.encoding import PackedRecord
from producer.publishing import Journal, PlannedBatch
from producer.publishing.plan import batch_id
from tests.streams.stand_in_worker import MODEL, echo


class Log:
    """One partition in memory, handed out a record at a time."""

    records: dict[str, list[Any]]

    def __init__(self, _: KafkaSettings, topic: str) -> None:
        self.topic = topic
        self.partitions = (0,)
        self.place = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def beginnings(self) -> dict[int, int]:
        return {0: 0}

    async def ends(self) -> dict[int, int]:
        return {0: len(self.records[self.topic])}

    def seek(self, positions: dict[int, int]) -> None:
        self.place = positions[0]

    async def poll(self, timeout_ms: int = 200) -> list[Any]:
        found = self.records[self.topic][self.place : self.place + 1]
        self.place += len(found)
        return found

    async def passed(self, ends: dict[int, int]) -> bool:
        return self.place >= ends[0]


def answer(run_id: str, index: int) -> SimpleNamespace:
    batch = ParsedBatch(
        batch_id=batch_id(run_id, index),
        source="",
        origin=Origin(topic="e", partition=0, offset=index),
        model=MODEL,
        timing=Timing(queue_ms=1.0, service_ms=1.0, device="none"),
        results=(echo("1", "京路1号"),),
    )
    value = batch.model_dump_json().encode()
    return SimpleNamespace(topic="p", partition=0, offset=0, value=value)


def letter(index: int) -> SimpleNamespace:
    headers = [("ce_id", batch_id("r", index).encode()), (ERROR_CODE, b"crashed_worker")]
    return SimpleNamespace(headers=headers)


@pytest.mark.parametrize(
    ("replayed", "tally"), [(True, {"ok": 2}), (False, {"ok": 1, "crashed_worker": 1})]
)
async def test_a_replayed_dead_letter_is_answered_and_another_stays_one(
    monkeypatch: pytest.MonkeyPatch, replayed: bool, tally: dict[str, int]
) -> None:
    kafka = KafkaSettings()
    run = Journal(
        run_id="r",
        digest="",
        plan={},
        topic="e",
        floors={},
        result_floors={},
        dead_letter_floors={},
        written_at=datetime.now(UTC),
    )
    others = [answer("other", number) for number in range(20)]
    found = [answer("r", 0), *others, *([answer("r", 1)] if replayed else [])]
    Log.records = {kafka.names.parsed: found, kafka.names.dead_letters: [letter(1)]}
    monkeypatch.setattr(collect, "TopicLog", Log)
    with Spill() as spill:
        for index in range(2):
            spill.plan(PlannedBatch(index, None, PackedRecord(b"", (index + 1,))))
        collector = Collector(kafka, run, spill)
        collector.all_planned()
        assert await collector.collect(patience_s=5.0)
        assert spill.tally() == tally
