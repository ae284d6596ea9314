"""Waiting for the results of one run: its parsed batches, and its dead letters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from contracts.events import ParsedBatch
from contracts.headers import ERROR_CODE, header
from contracts.settings import KafkaSettings
from producer.awaiting.spill import Spill
from producer.publishing.journal import Journal
from producer.publishing.plan import batch_index
from producer.tables import result_cells
from producer.topic_log import Offsets, TopicLog

logger = logging.getLogger(__name__)


class Collector:
    """Reads result and dead-letter topic from where they ended before the run.

    Args:
        run: the run whose results are wanted.
        spill: where they go.
        on_answer: called with the number of addresses that came back.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        run: Journal,
        spill: Spill,
        on_answer: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._kafka = kafka
        self._run = run
        self._spill = spill
        self._on_answer = on_answer
        self._all_planned = False
        self.last_answer_at = time.monotonic()

    def all_planned(self) -> None:
        """No more batches come: the waiting can end when the last one is answered."""
        self._all_planned = True
        self.last_answer_at = time.monotonic()

    async def collect(self, patience_s: float) -> bool:
        """Read until every planned batch is answered.

        Args:
            patience_s: how long nothing may come, once everything was published.

        Returns:
            False when patience ran out; what is missing is known to the spill.
        """
        names = self._kafka.names
        async with (
            TopicLog(self._kafka, names.parsed) as parsed,
            TopicLog(self._kafka, names.dead_letters) as letters,
        ):
            await _begin(parsed, self._run.result_floors)
            await _begin(letters, self._run.dead_letter_floors)
            ends: Offsets | None = None
            while True:
                for record in await parsed.poll(200):
                    self._take_result(record)
                for record in await letters.poll(0):
                    self._take_dead_letter(record)
                if self._all_planned and not self._spill.missing:
                    # A dead letter may have been replayed since: its answer lies further on.
                    if self._spill.failed and ends is None:
                        ends = await parsed.ends()
                    if not self._spill.failed or (ends and await parsed.passed(ends)):
                        return True
                    continue
                idle = time.monotonic() - self.last_answer_at
                if self._all_planned and idle >= patience_s:
                    return False

    def _take_result(self, record: Any) -> None:
        value = record.value or b""
        if self._run.run_id.encode() not in value:  # another run's: not worth decoding
            return
        try:
            batch = ParsedBatch.model_validate_json(value)
        except ValidationError:  # its message would repeat the text of an address
            logger.warning(
                "skipped a result that cannot be read: %s/%d/%d",
                record.topic,
                record.partition,
                record.offset,
            )
            return
        index = batch_index(self._run.run_id, batch.batch_id)
        if index is None or batch.origin.topic != self._run.topic:
            return
        if self._spill.answer(index, [result_cells(result) for result in batch.results]):
            self._answered(len(batch.results))

    def _take_dead_letter(self, record: Any) -> None:
        identifier = (header(record.headers, "ce_id") or b"").decode("utf-8", "replace")
        index = batch_index(self._run.run_id, identifier)
        if index is not None:
            code = (header(record.headers, ERROR_CODE) or b"dead_letter").decode()
            if self._spill.fail(index, code):
                self._answered(0)

    def _answered(self, addresses: int) -> None:
        self.last_answer_at = time.monotonic()
        self._on_answer(addresses)


async def _begin(log: TopicLog, floors: dict[int, int]) -> None:
    beginnings = await log.beginnings()
    log.seek({part: max(floors.get(part, 0), beginnings[part]) for part in log.partitions})
