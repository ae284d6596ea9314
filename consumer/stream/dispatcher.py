"""Lets records into the pipeline: freely, or one at a time while there are suspects.

A suspect runs with nothing else in flight in this process, so that if it kills the process
nobody else is blamed. What comes in meanwhile waits its turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from consumer.stream.attempts import next_start
from consumer.stream.lane import Lane
from consumer.stream.records import DeadLetter, Record


class Dispatcher:
    """Starts records.

    Args:
        submit: takes a record into the pipeline.
        dead_letter: finishes a record that must not run.
        idle: set while nothing is in the pipeline.
        max_attempts: the attempt at which a record is finished without being run.
        crash_code: what is said of it then.
    """

    def __init__(
        self,
        *,
        submit: Callable[[Record], None],
        dead_letter: Callable[[Record], Awaitable[None]],
        idle: asyncio.Event,
        max_attempts: int,
        crash_code: str,
    ) -> None:
        self._submit = submit
        self._dead_letter = dead_letter
        self._idle = idle
        self._max_attempts = max_attempts
        self._crash_code = crash_code
        self._waiting: deque[tuple[Lane, Record]] = deque()
        self._filled = asyncio.Event()
        self._starting = False

    def start(self, lane: Lane, record: Record) -> None:
        """Start a record now, or as soon as it may."""
        rule = next_start(record.earlier_starts, self._max_attempts)
        if self._waiting or self._starting or rule.alone or lane.needs_note(rule.attempt):
            self._waiting.append((lane, record))
            self._filled.set()
        else:
            record.started_at = time.monotonic()
            self._submit(record)

    async def run(self) -> None:
        """Start waiting records, in order, until cancelled."""
        while True:
            await self._filled.wait()
            while self._waiting:
                self._starting = True
                lane, record = self._waiting.popleft()
                if not record.abandoned:
                    await self._start(lane, record)
            self._starting = False
            self._filled.clear()

    async def _start(self, lane: Lane, record: Record) -> None:
        rule = next_start(record.earlier_starts, self._max_attempts)
        if rule.dead_letter:
            record.dead_letter = DeadLetter(self._crash_code, "TASK_PUT", "ProcessCrash")
            await self._dead_letter(record)
            return
        if rule.alone:
            await self._idle.wait()
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
            await self._idle.wait()
