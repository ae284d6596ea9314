"""Results on disk until every row has its own: memory stays flat however large the file is."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from producer.publishing.plan import PlannedBatch
from producer.tables import NO_RESULT

_TABLES = """
CREATE TABLE place (row INTEGER PRIMARY KEY, batch INTEGER NOT NULL, position INTEGER NOT NULL);
CREATE TABLE answer (batch INTEGER NOT NULL, position INTEGER NOT NULL, cells BLOB NOT NULL,
                     PRIMARY KEY (batch, position)) WITHOUT ROWID;
CREATE TABLE failure (batch INTEGER PRIMARY KEY, code TEXT NOT NULL);
CREATE TABLE refusal (row INTEGER PRIMARY KEY, code TEXT NOT NULL);
"""

_JOIN = """
SELECT place.row, answer.cells, failure.code FROM place
  LEFT JOIN answer ON answer.batch = place.batch AND answer.position = place.position
  LEFT JOIN failure ON failure.batch = place.batch
UNION ALL SELECT row, NULL, code FROM refusal
ORDER BY 1
"""


def outcome_of(cells: Sequence[Any] | None, code: str | None) -> str:
    """``ok``, or the error code of one row."""
    if cells is None:
        return code or NO_RESULT
    return "ok" if cells[-2] == "ok" else str(cells[-1])


class Spill:
    """Which row is in which batch, and what came back for it, in a temporary database."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mgeo-results-")
        self._database = sqlite3.connect(
            Path(self._folder.name) / "spill.sqlite", isolation_level=None
        )
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-16384"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")
        self._planned: set[int] = set()
        self._answered: set[int] = set()
        self._failed: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()
        self._folder.cleanup()

    @property
    def missing(self) -> int:
        """Batches that were planned and not answered yet."""
        return len(self._planned)

    @property
    def failed(self) -> int:
        """Batches that are dead letters, as far as is known."""
        return len(self._failed)

    def missing_batches(self, most: int) -> list[int]:
        """The first of them, by index."""
        return sorted(self._planned)[:most]

    def plan(self, batch: PlannedBatch) -> None:
        """Its rows wait for the answer to this batch, which may be there already."""
        self._database.executemany(
            "INSERT INTO place VALUES (?, ?, ?)",
            ((row, batch.index, place) for place, row in enumerate(batch.record.positions)),
        )
        if batch.index not in self._answered and batch.index not in self._failed:
            self._planned.add(batch.index)

    def refuse(self, row: int, code: str) -> None:
        """This row was never sent."""
        self._database.execute("INSERT INTO refusal VALUES (?, ?)", (row, code))

    def answer(self, index: int, results: Sequence[Sequence[Any]]) -> bool:
        """The cells of each address of a batch; False where it was answered before.

        It takes the place of a failure: a dead letter can be replayed.
        """
        if index in self._answered:
            return False
        if index in self._failed:
            self._failed.discard(index)
            self._database.execute("DELETE FROM failure WHERE batch = ?", (index,))
        self._answered.add(index)
        self._planned.discard(index)
        self._database.executemany(
            "INSERT INTO answer VALUES (?, ?, ?)",
            ((index, place, orjson.dumps(cells)) for place, cells in enumerate(results)),
        )
        return True

    def fail(self, index: int, code: str) -> bool:
        """The whole batch became a dead letter; False where that, or an answer, is known."""
        if index in self._answered or index in self._failed:
            return False
        self._failed.add(index)
        self._planned.discard(index)
        self._database.execute("INSERT INTO failure VALUES (?, ?)", (index, code))
        return True

    def by_row(self) -> Iterator[tuple[int, list[Any] | None, str | None]]:
        """(row number, cells, error code) in the order of the file; both None: no result."""
        for row, cells, code in self._database.execute(_JOIN):
            yield row, None if cells is None else orjson.loads(cells), code

    def tally(self) -> dict[str, int]:
        """How many rows have each status: ``ok``, or the error code."""
        counts: dict[str, int] = {}
        for _, cells, code in self.by_row():
            outcome = outcome_of(cells, code)
            counts[outcome] = counts.get(outcome, 0) + 1
        return counts
