"""Reading a range of results and dead letters, from Kafka or from a file. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import ValidationError

from contracts.errors import UsageError
from contracts.events import ParsedBatch
from contracts.headers import ERROR_CODE, header
from contracts.topics import TopicNames
from rollout.logs import Log, OpenLog

logger = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Told what is being done, and which part of it is done, in [0, 1]."""

_TICK_LINES: Final = 20


class Taker(Protocol):
    """What is told of everything that was read; a ``Tally`` is one."""

    unreadable: int

    def take(self, batch: ParsedBatch, at_ms: int | None = None) -> None:
        """One result record, and when Kafka took it in."""
        ...

    def take_letter(self, code: str) -> None:
        """One dead letter, by its code."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time by when Kafka took the records in; None is open on that side."""

    since: datetime | None = None
    until: datetime | None = None


async def read_window(
    open_log: OpenLog, names: TopicNames, window: Window, taker: Taker, progress: Progress
) -> None:
    """Everything committed in a window, results first, up to the end as it is at the start.

    Raises:
        BackendUnreachableError: Kafka does not answer.
        UsageError: ``no_topic``.
    """
    async for record in _records(open_log, names.parsed, window, "reading results", progress):
        try:
            batch = ParsedBatch.model_validate_json(record.value or b"")
        except ValidationError:  # its message would repeat the text of the address
            taker.unreadable += 1
            logger.warning(
                "skipped a result that cannot be read: %s/%d/%d",
                record.topic,
                record.partition,
                record.offset,
            )
            continue
        taker.take(batch, record.timestamp)
    async for record in _records(
        open_log, names.dead_letters, window, "reading dead letters", progress
    ):
        code = (header(record.headers, ERROR_CODE) or b"").decode("utf-8", "replace")
        taker.take_letter(code or "unknown")


async def _records(
    open_log: OpenLog, topic: str, window: Window, what: str, progress: Progress
) -> AsyncIterator[Any]:
    async with open_log(topic) as log:
        begin = await _begin(log, window)
        ends = await log.ends()
        if window.until is not None:
            last = await log.since(window.until)
            ends = {part: min(end, last.get(part, end)) for part, end in ends.items()}
        begin = {part: min(offset, ends[part]) for part, offset in begin.items()}
        total = sum(ends[part] - offset for part, offset in begin.items())
        log.seek(begin)
        progress(what, 0.0)
        while not await log.passed(ends):
            for record in await log.poll():
                if record.offset < ends[record.partition]:
                    yield record
            at = await log.positions()
            done = sum(min(at[part], ends[part]) - offset for part, offset in begin.items())
            progress(what, done / total if total else 1.0)


async def _begin(log: Log, window: Window) -> dict[int, int]:
    return await (log.beginnings() if window.since is None else log.since(window.since))


def read_file(path: Path, taker: Taker, progress: Progress) -> None:
    """Every result record of a file that ``mgeo results --out FILE.jsonl`` wrote.

    Raises:
        UsageError: ``bad_results_file`` when it cannot be opened or no line of it is a result.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as lines:
            done, read = 0, 0
            for number, line in enumerate(lines):
                done += len(line)
                if number % _TICK_LINES == 0:
                    progress(f"reading {path.name}", done / max(1, size))
                if not line.strip():
                    continue
                try:
                    batch = ParsedBatch.model_validate_json(line)
                except ValidationError:
                    taker.unreadable += 1
                    continue
                read += 1
                taker.take(batch)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", code="bad_results_file"
        ) from error
    if not read:
        raise UsageError(
            f"no line of {path} is a result record",
            code="bad_results_file",
            hint="Write one with mgeo results --out results.jsonl.",
        )
