"""Takes records through decode, tokenizing, device and interpretation.

All state belongs to the event loop. Work of any size runs in threads: pure Python in the CPU
pool, the network in the executor. Nothing here knows about Kafka.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor as CpuPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from consumer.parser.seams import AddressModel, Interpretation, PreparedAddress, Scores, Window
from consumer.stream.batcher import Batch, Batcher
from consumer.stream.cache import InterpretationCache
from consumer.stream.compose import ParsedComposer, failed_address, parsed_address
from consumer.stream.executor import DeviceExecutor, RowFault
from consumer.stream.in_flight import InFlight
from consumer.stream.records import DeadLetter, Outgoing, Record
from consumer.stream.telemetry import Telemetry
from contracts.decode import BatchInput, decode_batch
from contracts.errors import PermanentError
from contracts.events import AddressResult
from contracts.limits import Limits

_T = TypeVar("_T")

_CHUNK_RECORDS = 64
_CHUNK_BYTES = 256 * 1024
# One batch computes while the next is ready: without it the device idles between batches.
_DEVICE_QUEUE = 2


@dataclass(slots=True, eq=False)
class _Task:
    """One distinct text on its way through the model, for everyone who waits for it."""

    key: Hashable
    model: AddressModel
    text: str
    waiting: list[tuple[Record, int]]
    prepared: PreparedAddress | None = None
    scores: list[Scores | None] = field(default_factory=list)
    missing: int = 0
    fault: str | None = None

    @property
    def wanted(self) -> bool:
        return any(not record.abandoned for record, _ in self.waiting)


@dataclass(frozen=True, slots=True)
class _Row:
    task: _Task
    index: int
    window: Window


class Pipeline:
    """The way of a record from bytes to the record that is published.

    Args:
        batcher: forms device batches.
        executor: runs them.
        cache: remembers repeats.
        composer: makes the outgoing record; it is what differs between roles.
        limits: bounds of an input record.
        cpu_pool: threads for pure Python work.
        in_flight: told how many addresses a record really has.
        telemetry: told what happens.
    """

    def __init__(
        self,
        *,
        batcher: Batcher[_Row],
        executor: DeviceExecutor,
        cache: InterpretationCache,
        composer: ParsedComposer,
        limits: Limits,
        cpu_pool: CpuPool,
        in_flight: InFlight,
        telemetry: Telemetry,
    ) -> None:
        self._in_flight = in_flight
        self._batcher = batcher
        self._executor = executor
        self._cache = cache
        self._composer = composer
        self._limits = limits
        self._pool = cpu_pool
        self._telemetry = telemetry
        self._inbox: deque[Record] = deque()
        self._inbox_filled = asyncio.Event()
        self._device_wake = asyncio.Event()
        self._on_device = 0
        self._tasks: dict[tuple[Hashable, str], _Task] = {}
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def idle(self) -> asyncio.Event:
        """Set while no record is inside."""
        return self._idle

    def submit(self, record: Record) -> None:
        """Take a record in. Its ``done`` follows, exactly once, unless it is abandoned."""
        self._running += 1
        self._idle.clear()
        self._inbox.append(record)
        self._inbox_filled.set()

    async def publish_dead_letter(self, record: Record) -> None:
        """Finish a record that must not run; its ``dead_letter`` is set."""
        self._running += 1
        self._idle.clear()
        await self._finish([record])

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed())
            group.create_task(self._drive(group))

    # --- in: bytes to windows ---------------------------------------------------------------

    async def _feed(self) -> None:
        while True:
            await self._inbox_filled.wait()
            chunk = self._next_chunk()
            unwanted = [record for record in chunk if record.abandoned]
            chunk = [record for record in chunk if not record.abandoned]
            await self._finish(unwanted)
            decoded = await self._in_pool(_decode_all, [r.value for r in chunk], self._limits)
            fresh: dict[Hashable, list[_Task]] = {}
            finished: list[Record] = []
            for record, outcome in zip(chunk, decoded, strict=True):
                if isinstance(outcome, DeadLetter):
                    record.dead_letter = outcome
                else:
                    self._enter(record, outcome, fresh)
                if record.pending == 0:
                    finished.append(record)
            await self._finish(finished)
            for tasks in fresh.values():
                await self._prepare(tasks)

    def _next_chunk(self) -> list[Record]:
        chunk: list[Record] = []
        size = 0
        while self._inbox and len(chunk) < _CHUNK_RECORDS and size < _CHUNK_BYTES:
            record = self._inbox.popleft()
            size += record.size
            chunk.append(record)
        if not self._inbox:
            self._inbox_filled.clear()
        return chunk

    def _enter(self, record: Record, batch: BatchInput, fresh: dict[Hashable, list[_Task]]) -> None:
        model = record.route.key
        record.batch = batch
        record.results = [None] * len(batch.addresses)
        record.pending = len(batch.addresses)
        self._in_flight.count(record.ticket, record.pending)
        for index, address in enumerate(batch.addresses):
            text = address.text
            if address.fault is not None or text is None:
                code = address.fault or "bad_text"
                self._settle(record, index, failed_address(address.id, text, code))
                continue
            known = self._cache.get(model, text)
            self._telemetry.cache(hit=known is not None)
            if known is not None:
                self._settle(record, index, _result(address.id, text, known))
                continue
            task = self._tasks.get((model, text))
            if task is None:
                task = self._tasks[model, text] = _Task(model, record.model, text, [])
                fresh.setdefault(model, []).append(task)
            task.waiting.append((record, index))

    async def _prepare(self, tasks: list[_Task]) -> None:
        prepare = tasks[0].model.prepare
        texts = [task.text for task in tasks]
        complete: list[_Task] = []
        for task, prepared in zip(
            tasks, await self._in_pool(_prepare_all, prepare, texts), strict=True
        ):
            if prepared is None:
                task.fault = "model_error"
                complete.append(task)
                continue
            task.prepared = prepared
            task.missing = len(prepared.windows)
            task.scores = [None] * task.missing
            if not task.missing:  # nothing in it that the device could score
                complete.append(task)
            for index, window in enumerate(prepared.windows):
                self._batcher.add(task.key, _Row(task, index, window), window.length)
        self._device_wake.set()
        await self._complete(complete)

    # --- the device -------------------------------------------------------------------------

    async def _drive(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._device_wake.wait()
            self._device_wake.clear()
            while self._may_form_batch():
                batch = self._batcher.next()
                if batch is None:
                    break
                self._on_device += 1
                group.create_task(self._run_batch(batch))

    def _may_form_batch(self) -> bool:
        # An idle device takes what there is; a busy one gets its next batch early only if
        # waiting could not make that batch fuller.
        if self._on_device == 0:
            return True
        return self._on_device < _DEVICE_QUEUE and self._batcher.has_full_batch()

    async def _run_batch(self, batch: Batch[_Row]) -> None:
        rows = [row for row in batch.items if row.task.wanted]
        dropped = [row.task for row in batch.items if not row.task.wanted]
        for task in dropped:
            # From here on nobody may join it: it will have no scores.
            self._forget(task)
        complete: list[_Task] = []
        if rows:
            self._telemetry.batch(batch)
            run = await self._executor.run(
                rows[0].task.model.encoder, [row.window.token_ids for row in rows]
            )
            for row, outcome in zip(rows, run.rows, strict=True):
                task = row.task
                for record, _ in task.waiting:
                    if record.device_at is None:
                        record.device_at = run.started_at
                if isinstance(outcome, RowFault):
                    task.fault = outcome.code
                else:
                    task.scores[row.index] = outcome
                task.missing -= 1
                if task.missing == 0:
                    complete.append(task)
        self._on_device -= 1
        self._device_wake.set()
        for task in dropped:
            task.fault = "abandoned"
            task.missing -= 1
            if task.missing == 0:
                complete.append(task)
        await self._complete(complete)

    # --- out: scores to records -------------------------------------------------------------

    async def _complete(self, tasks: list[_Task]) -> None:
        if not tasks:
            return
        good = [task for task in tasks if task.fault is None]
        found = await self._in_pool(_interpret_all, good[0].model, good) if good else []
        interpretations = dict(zip(map(id, good), found, strict=True))
        finished: list[Record] = []
        for task in tasks:
            self._forget(task)
            interpretation = interpretations.get(id(task))
            if interpretation is not None:
                self._cache.put(task.key, task.text, interpretation)
            for record, index in task.waiting:
                assert record.batch is not None  # noqa: S101  (set before it waited)
                address = record.batch.addresses[index]
                result = (
                    _result(address.id, task.text, interpretation)
                    if interpretation is not None
                    else failed_address(address.id, task.text, task.fault or "model_error")
                )
                self._settle(record, index, result)
                if record.pending == 0:
                    finished.append(record)
        await self._finish(finished)

    def _forget(self, task: _Task) -> None:
        if self._tasks.get((task.key, task.text)) is task:
            del self._tasks[task.key, task.text]

    @staticmethod
    def _settle(record: Record, index: int, result: AddressResult) -> None:
        record.results[index] = result
        record.pending -= 1

    async def _finish(self, records: Sequence[Record]) -> None:
        wanted = [record for record in records if not record.abandoned]
        if wanted:
            now = time.monotonic()
            composed = await self._in_pool(self._compose_all, wanted, now, datetime.now(UTC))
            for record, outgoing in zip(wanted, composed, strict=True):
                record.outgoing = outgoing
                if record.dead_letter is None:
                    record.value = None
                self._telemetry.finished(record, now)
        self._running -= len(records)
        if self._running == 0:
            self._idle.set()
        for record in wanted:
            record.done(record)

    def _compose_all(
        self, records: Sequence[Record], finished_at: float, wall: datetime
    ) -> list[Outgoing]:
        return [
            self._composer.compose(record, finished_at=finished_at, wall=wall) for record in records
        ]

    async def _in_pool(self, function: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)


def _result(identifier: str, text: str, found: Interpretation) -> AddressResult:
    try:
        return parsed_address(identifier, text, found)
    except ValueError:  # not a result at all: a confidence that is no number, say
        return failed_address(identifier, text, "model_error")


def _decode_all(values: Sequence[bytes | None], limits: Limits) -> list[BatchInput | DeadLetter]:
    return [_decode(value, limits) for value in values]


def _decode(value: bytes | None, limits: Limits) -> BatchInput | DeadLetter:
    try:
        return decode_batch(value, limits)
    except PermanentError as error:
        return DeadLetter(error.code, "VALUE_CONVERTER", type(error).__name__)


def _prepare_all(
    prepare: Callable[[Sequence[str]], list[PreparedAddress]], texts: Sequence[str]
) -> list[PreparedAddress | None]:
    try:
        return list(prepare(texts))
    except Exception:  # noqa: BLE001  (one text that breaks the tokenizer must not take the rest along)
        if len(texts) == 1:
            return [None]
    return [one for text in texts for one in _prepare_all(prepare, [text])]


def _interpret_all(model: AddressModel, tasks: Sequence[_Task]) -> list[Interpretation | None]:
    prepared = [task.prepared for task in tasks if task.prepared is not None]
    scores = [[s for s in task.scores if s is not None] for task in tasks]
    try:
        return list(model.interpret(prepared, scores))
    except Exception:  # noqa: BLE001  (the same, for the decoder)
        if len(tasks) == 1:
            return [None]
    return [one for task in tasks for one in _interpret_all(model, [task])]
