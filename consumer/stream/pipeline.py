"""Takes records through decode, tokenizing, device and interpretation.

There is one for each class of traffic; what they share is the device.
All state belongs to the event loop. Work of any size runs in threads: pure Python in the CPU
pool, the network in the executor. Nothing here knows about Kafka.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor as CpuPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, zip_longest
from typing import TypeVar

from consumer.parser.isolation import RowFault, interpret_each, prepare_each
from consumer.parser.results import failed_address, parsed_address
from consumer.parser.seams import AddressModel, Interpretation, PreparedAddress, Scores, Window
from consumer.stream.batcher import Batch, Batcher
from consumer.stream.cache import InterpretationCache
from consumer.stream.compose import Composer
from consumer.stream.executor import Device, SideRows
from consumer.stream.records import DeadLetter, DeviceBatch, Outgoing, Record
from consumer.stream.sides import run_order
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
class _Half:
    """One side of a task: what one model needs and what came of it. It knows of no other."""

    model: AddressModel
    prepared: PreparedAddress | None = None
    windows: tuple[Window, ...] = ()
    scores: list[Scores | None] = field(default_factory=list)
    fault: str | None = None
    answer: Interpretation | None = None


@dataclass(slots=True, eq=False)
class _Task:
    """One distinct text on its way through its models, for everyone who waits for it."""

    key: Hashable
    text: str
    halves: tuple[_Half, ...]
    waiting: list[tuple[Record, int]]
    lengths: list[int] = field(default_factory=list)
    """Tokens of each row: of the side that is longest there."""
    missing: int = 0
    device_batch: DeviceBatch | None = None

    @property
    def wanted(self) -> bool:
        return any(not record.abandoned for record, _ in self.waiting)


@dataclass(frozen=True, slots=True)
class _Row:
    """The windows of one number of all sides: tokenizers differ, so a side may have none."""

    task: _Task
    index: int


class Pipeline:
    """The way of a record from bytes to the record that is published.

    Args:
        batcher: forms device batches.
        executor: runs them.
        cache: remembers repeats.
        composer: makes the outgoing record; it is what differs between roles.
        limits: bounds of an input record.
        cpu_pool: threads for pure Python work.
        telemetry: told what happens.
    """

    def __init__(
        self,
        *,
        batcher: Batcher[_Row],
        executor: Device,
        cache: InterpretationCache,
        composer: Composer,
        limits: Limits,
        cpu_pool: CpuPool,
        telemetry: Telemetry,
    ) -> None:
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
        self._batch_prefix = secrets.token_hex(8)  # batch ids are unique across processes
        self._batch_numbers = count(1)

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
        key = record.route.key
        sides = len(record.models)
        record.batch = batch
        record.results = [[None] * len(batch.addresses) for _ in range(sides)]
        record.pending = len(batch.addresses)
        record.ticket.count(record.pending)
        hits = misses = 0
        for index, address in enumerate(batch.addresses):
            text = address.text
            if address.fault is not None or text is None:
                code = address.fault or "bad_text"
                failed = failed_address(address.id, text, code)
                self._settle(record, index, [failed] * sides)
                continue
            known = self._cache.get(key, text)
            if known is not None:
                hits += 1
                self._settle(
                    record,
                    index,
                    [parsed_address(address.id, text, one, self._limits) for one in known],
                )
                continue
            misses += 1
            task = self._tasks.get((key, text))
            if task is None:
                halves = tuple(map(_Half, record.models))
                task = self._tasks[key, text] = _Task(key, text, halves, [])
                fresh.setdefault(key, []).append(task)
            task.waiting.append((record, index))
        self._telemetry.cache(hits=hits, misses=misses)

    async def _prepare(self, tasks: list[_Task]) -> None:
        await self._in_pool(_prepare_all, tasks)
        complete: list[_Task] = []
        waste = min(half.model.encoder.max_padding_waste for half in tasks[0].halves)
        for task in tasks:
            task.missing = len(task.lengths)
            if not task.missing:  # nothing in it that the device could score
                complete.append(task)
            for index, length in enumerate(task.lengths):
                self._batcher.add(task.key, _Row(task, index), length, max_padding_waste=waste)
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
        rows: list[_Row] = []
        dropped: list[_Task] = []
        for row in batch.items:
            if row.task.wanted:
                rows.append(row)
            else:
                dropped.append(row.task)
                # From here on nobody may join it: it will have no scores.
                self._forget(row.task)
        complete: list[_Task] = []
        if rows:
            await self._run_rows(rows, batch)
            for row in rows:
                row.task.missing -= 1
                if row.task.missing == 0:
                    complete.append(row.task)
        self._on_device -= 1
        self._device_wake.set()
        for task in dropped:
            for half in task.halves:
                half.fault = "abandoned"
            task.missing -= 1
            if task.missing == 0:
                complete.append(task)
        await self._complete(complete)

    async def _run_rows(self, rows: list[_Row], batch: Batch[_Row]) -> None:
        models = [half.model for half in rows[0].task.halves]
        name = f"{self._batch_prefix}-{next(self._batch_numbers)}"
        order = run_order(name, len(models))
        members = [_members(rows, side) for side in range(len(models))]
        run = await self._executor.run(
            [
                SideRows(model.encoder, [half.windows[index].token_ids for half, index in side])
                for model, side in zip(models, members, strict=True)
            ],
            order,
        )
        for side, ran in zip(members, run.sides, strict=True):
            for (half, index), outcome in zip(side, ran.rows, strict=True):
                if isinstance(outcome, RowFault):
                    half.fault = outcome.code
                else:
                    half.scores[index] = outcome
        busy_s = [ran.seconds for ran in run.sides]
        self._telemetry.batch(batch, [model.spec for model in models], busy_s)
        device_batch = None
        if all(members):  # else one of them had nothing to do, and the times compare nothing
            # The batcher puts the longest row first.
            tokens = len(rows) * rows[0].task.lengths[rows[0].index]
            own_s = tuple(ran.own_s for ran in run.sides)
            device_batch = DeviceBatch(name, len(rows), tokens, order, own_s)
        for row in rows:
            row.task.device_batch = device_batch or row.task.device_batch
            for record, _ in row.task.waiting:
                if record.device_at is None:
                    record.device_at = run.started_at

    # --- out: scores to records -------------------------------------------------------------

    async def _complete(self, tasks: list[_Task]) -> None:
        if not tasks:
            return
        await self._in_pool(_interpret_all, tasks)
        finished: list[Record] = []
        for task in tasks:
            self._forget(task)
            answers = [half.answer for half in task.halves if half.answer is not None]
            if len(answers) == len(task.halves):
                self._cache.put(task.key, task.text, tuple(answers))
            for record, index in task.waiting:
                assert record.batch is not None  # noqa: S101  (set before it waited)
                record.device_batch = task.device_batch or record.device_batch
                identifier = record.batch.addresses[index].id
                results = [self._result(identifier, task.text, half) for half in task.halves]
                self._settle(record, index, results)
                if record.pending == 0:
                    finished.append(record)
        await self._finish(finished)

    def _result(self, identifier: str, text: str, half: _Half) -> AddressResult:
        if half.answer is None:
            return failed_address(identifier, text, half.fault or "model_error")
        return parsed_address(identifier, text, half.answer, self._limits)

    def _forget(self, task: _Task) -> None:
        if self._tasks.get((task.key, task.text)) is task:
            del self._tasks[task.key, task.text]

    @staticmethod
    def _settle(record: Record, index: int, results: Sequence[AddressResult]) -> None:
        for side, result in zip(record.results, results, strict=True):
            side[index] = result
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


def _members(rows: Sequence[_Row], side: int) -> list[tuple[_Half, int]]:
    """The rows that exist on this side."""
    return [
        (half, row.index)
        for row in rows
        if row.index < len((half := row.task.halves[side]).windows)
    ]


def _decode_all(values: Sequence[bytes | None], limits: Limits) -> list[BatchInput | DeadLetter]:
    return [_decode(value, limits) for value in values]


def _decode(value: bytes | None, limits: Limits) -> BatchInput | DeadLetter:
    try:
        return decode_batch(value, limits)
    except PermanentError as error:
        return DeadLetter(error.code, "VALUE_CONVERTER", type(error).__name__)


def _prepare_all(tasks: Sequence[_Task]) -> None:
    texts = [task.text for task in tasks]
    for halves in zip(*(task.halves for task in tasks), strict=True):
        for half, prepared in zip(halves, prepare_each(halves[0].model, texts), strict=True):
            if prepared is None:
                half.fault = "model_error"
            else:
                half.prepared, half.windows = prepared, prepared.windows
                half.scores = [None] * len(prepared.windows)
    for task in tasks:
        task.lengths = _row_lengths(task.halves)


def _row_lengths(halves: Sequence[_Half]) -> list[int]:
    own = [[window.length for window in half.windows] for half in halves]
    return own[0] if len(own) == 1 else [max(row) for row in zip_longest(*own, fillvalue=0)]


def _interpret_all(tasks: Sequence[_Task]) -> None:
    for halves in zip(*(task.halves for task in tasks), strict=True):
        good = [half for half in halves if half.fault is None]
        prepared = [half.prepared for half in good if half.prepared is not None]
        scores = [[s for s in half.scores if s is not None] for half in good]
        answers = interpret_each(halves[0].model, prepared, scores)
        for half, answer in zip(good, answers, strict=True):
            half.answer = answer
