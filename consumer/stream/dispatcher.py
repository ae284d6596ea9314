"""Lets records into the pipeline: freely, or one at a time while there are suspects.

A suspect runs with nothing else in flight in this process, so that if it kills the process
nobody else is blamed. What comes in meanwhile waits its turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from consumer.stream.attempts import next_start
from consumer.stream.lane import Lane
from consumer.stream.records import DeadLetter, Record
from consumer.stream.traffic import Traffic


class Dispatcher:
    """Starts records.

    Args:
        submit: takes a record into the pipeline of its class.
        dead_letter: finishes a record that must not run.
        idle: each set while nothing is in one of the pipelines.
        max_attempts: the attempt at which a record is finished without being run.
        crash_code: what is said of it then.
    """

    def __init__(
        self,
        *,
        submit: Callable[[Record], None],
        dead_letter: Callable[[Record], Awaitable[None]],
        idle: Sequence[asyncio.Event],
        max_attempts: int,
        crash_code: str,
    ) -> None:
        self._submit = submit
        self._dead_letter = dead_letter
        self._idle = idle
        self._max_attempts = max_attempts
        self._crash_code = crash_code
        self._waiting: dict[Traffic, deque[tuple[Lane, Record]]] = {
            traffic: deque() for traffic in Traffic
        }
        self._filled = asyncio.Event()
        self._starting = False

    def start(self, lane: Lane, record: Record) -> None:
        """Start a record now, or as soon as it may."""
        rule = next_start(record.earlier_starts, self._max_attempts)
        queued = self._any_waiting() or self._starting or record.dead_letter is not None
        if queued or rule.alone or lane.needs_note(rule.attempt):
            self._waiting[record.traffic].append((lane, record))
            self._filled.set()
        else:
            record.started_at = time.monotonic()
            self._submit(record)

    async def run(self) -> None:
        """Start waiting records, those of one class in order, until cancelled."""
        while True:
            await self._filled.wait()
            self._starting = True
            while self._any_waiting():
                interactive = self._waiting[Traffic.INTERACTIVE]
                # As many as wait now: whoever comes while a suspect runs is not kept waiting by
                # all other suspects, and all of those together do not keep the suspects waiting.
                for _ in range(len(interactive)):
                    await self._start_next(interactive)
                if self._waiting[Traffic.BULK]:
                    await self._start_next(self._waiting[Traffic.BULK])
            self._starting = False
            self._filled.clear()

    def _any_waiting(self) -> bool:
        return any(self._waiting.values())

    async def _start_next(self, waiting: deque[tuple[Lane, Record]]) -> None:
        lane, record = waiting.popleft()
        if not record.abandoned:
            await self._start(lane, record)

    async def _all_idle(self) -> None:
        while not all(idle.is_set() for idle in self._idle):
            for idle in self._idle:
                await idle.wait()

    async def _start(self, lane: Lane, record: Record) -> None:
        rule = next_start(record.earlier_starts, self._max_attempts)
        if rule.dead_letter and record.dead_letter is None:
            record.dead_letter = DeadLetter(self._crash_code, "TASK_PUT", "ProcessCrash")
        if record.dead_letter is not None:  # nothing of it is run, so no start is written down
            await self._dead_letter(record)
            return
        if rule.alone:
            await self._all_idle()
            # The note is about the record at the frontier: all before it must be committed.
            await lane.reaches(record.origin.offset)
            if record.abandoned:
                return
        if lane.needs_note(rule.attempt) and not await lane.note_start(rule.attempt):
            return
        if record.abandoned:
            return
        record.started_at = time.monotonic()
        self._submit(record)
        if rule.alone:
            await self._all_idle()
