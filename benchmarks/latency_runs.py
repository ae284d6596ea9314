"""The book of live latency runs: which are left, what came of each, how many came out right. Pure.

Every run that was begun in earnest stands in it, whatever came of it: none is left out or
repeated. Reading and writing the file is all the I/O there is here.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

from rollout.stats.display import clopper_pearson_interval

MODES: Final = ("tenth", "full", "replay", "burning")
CANDIDATES: Final = ("slower", "same")
NEEDED_RUNS: Final = 20
NEEDED_SHARE: Final = 0.95
"""19 of 20."""

Outcome = Literal["stopped", "passed", "undecided"]
WANTED: Final[Mapping[str, Outcome]] = {"slower": "stopped", "same": "passed"}


@dataclass(frozen=True, slots=True)
class Run:
    """One rollout's latency gates.

    Attributes:
        mode: how the traffic came.
        candidate: ``slower`` or ``same``.
        seed: its number within the cell; the traffic follows from it.
        outcome: ``stopped``: a latency gate has failed. ``passed``: at one look both had passed,
            which is when a rollout could go on. ``undecided``: neither, until time was up.
        by: the gates that failed.
        batches: device batches in the median ratio, two for each couple of opposite orders.
        against_limit: device batches held against the P99 limit, which is set by 300 before.
        ratio: the median ratio at the end.
        ratio_bound: the worst ratio that is left open.
        excess: batches over the P99 limit, candidate less reference, as a share.
        warming_s: from the control record to a worker that is ready with both models warm.
        seconds: from the first input to the answer.
        capacity: addresses a second of the worker's processor time, measured at the slice's start.
        load: load average of the last minute at the end, this run's own share included.
        at: when it ended, RFC 3339 in UTC.
    """

    mode: str
    candidate: str
    seed: int
    outcome: Outcome
    by: tuple[str, ...]
    batches: int
    against_limit: int
    ratio: float | None
    ratio_bound: float | None
    excess: float | None
    warming_s: float
    seconds: float
    capacity: float
    load: float
    at: str

    @property
    def right(self) -> bool:
        """Whether that is what should have come out. A run without an answer never is."""
        return self.outcome == WANTED[self.candidate]


@dataclass(frozen=True, slots=True)
class Cell:
    """All runs of one mode with one candidate."""

    mode: str
    candidate: str
    runs: int
    right: int
    low: float
    high: float
    ratio: float | None
    batches: float
    seconds: float
    load: float

    @property
    def enough(self) -> bool:
        """Whether so many came out right as must, of so many as there must be."""
        return self.runs >= NEEDED_RUNS and self.right >= NEEDED_SHARE * self.runs


@dataclass(frozen=True, slots=True)
class Book:
    """Runs that were made under one set of conditions.

    Attributes:
        conditions: thresholds, sizes, machine: what must not differ between its runs.
        runs: in the order in which they were made.
    """

    conditions: Mapping[str, Any]
    runs: tuple[Run, ...] = ()

    def with_run(self, run: Run) -> Book:
        """The book with one more.

        Raises:
            ValueError: there is one of that mode, candidate and seed.
        """
        if _place(run) in set(map(_place, self.runs)):
            raise ValueError(f"{_place(run)} was run before")
        return replace(self, runs=(*self.runs, run))

    def left(
        self, count: int, modes: Sequence[str] = MODES, candidates: Sequence[str] = CANDIDATES
    ) -> list[tuple[str, str, int]]:
        """Mode, candidate and seed of what has not been run, in the order to run it.

        Modes and candidates take turns, so that a busy quarter of an hour strikes all alike.
        """
        known = set(map(_place, self.runs))
        wanted = (
            (mode, candidate, seed)
            for seed in range(count)
            for mode in modes
            for candidate in candidates
        )
        return [one for one in wanted if one not in known]

    def cells(self) -> list[Cell]:
        """The summary: one cell for each mode and candidate that has runs."""
        return [_cell(mode, candidate, group) for mode, candidate, group in self._groups() if group]

    def _groups(self) -> Iterator[tuple[str, str, list[Run]]]:
        for mode in MODES:
            for candidate in CANDIDATES:
                yield (
                    mode,
                    candidate,
                    [run for run in self.runs if (run.mode, run.candidate) == (mode, candidate)],
                )

    @property
    def holds(self) -> bool:
        """Whether every mode with every candidate has enough runs, and enough right ones."""
        cells = self.cells()
        return len(cells) == len(MODES) * len(CANDIDATES) and all(cell.enough for cell in cells)


def table(cells: Sequence[Cell]) -> str:
    """The summary as Markdown."""
    lines = [
        "| traffic | candidate | right | 95% interval | median ratio | batches | seconds | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        ratio = "" if cell.ratio is None else f"{cell.ratio:.3f}"
        lines.append(
            f"| {cell.mode} | {cell.candidate} | {cell.right} of {cell.runs} "
            f"| {cell.low:.0%} to {cell.high:.0%} | {ratio} | {cell.batches:.0f} "
            f"| {cell.seconds:.0f} | {cell.load:.1f} |"
        )
    return "\n".join(lines)


def read(path: Path, conditions: Mapping[str, Any]) -> Book:
    """The book in this file, or a new one.

    Raises:
        ValueError: its runs were made under other conditions.
    """
    if not path.exists():
        return Book(conditions)
    found = json.loads(path.read_text("utf-8"))
    if found["conditions"] != json.loads(json.dumps(conditions)):
        raise ValueError(f"{path} has runs of other conditions: choose another file")
    runs = tuple(Run(**{**one, "by": tuple(one["by"])}) for one in found["runs"])
    return Book(conditions, runs)


def add(path: Path, conditions: Mapping[str, Any], run: Run) -> Book:
    """Write down one more run, beside whoever else is writing; the book with it.

    Raises:
        ValueError: as ``read`` and ``Book.with_run``.
    """
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        book = read(path, conditions).with_run(run)
        cells = [asdict(cell) | {"enough": cell.enough} for cell in book.cells()]
        runs = [asdict(one) for one in book.runs]
        beside = path.with_suffix(".partial")
        document = {"conditions": conditions, "cells": cells, "runs": runs}
        beside.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        beside.replace(path)  # a reader never sees half of it
    return book


def _place(run: Run) -> tuple[str, str, int]:
    return run.mode, run.candidate, run.seed


def _cell(mode: str, candidate: str, runs: Sequence[Run]) -> Cell:
    right = sum(run.right for run in runs)
    low, high = clopper_pearson_interval(right, len(runs))
    ratios = [run.ratio for run in runs if run.ratio is not None]
    return Cell(
        mode,
        candidate,
        len(runs),
        right,
        round(low, 4),
        round(high, 4),
        round(median(ratios), 4) if ratios else None,
        median(run.batches for run in runs),
        round(median(run.warming_s + run.seconds for run in runs), 1),
        round(median(run.load for run in runs), 2),
    )
