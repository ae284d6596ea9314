"""Result messages in files: whole, one per line, or as rows with their origin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from contracts.events import ParsedBatch
from producer.tables.atomic import appearing
from producer.tables.layout import result_cells

ORIGIN_COLUMNS: Final = (
    "source",
    "batch_id",
    "topic",
    "partition",
    "offset",
    "model",
    "id",
    "text",
)


def result_rows(batch: ParsedBatch) -> Iterator[tuple[Any, ...]]:
    """Each address of one message: where it is from, then the cells of RESULT_COLUMNS."""
    origin, model = batch.origin, batch.model
    for result in batch.results:
        yield (
            batch.source,
            batch.batch_id,
            origin.topic,
            origin.partition,
            origin.offset,
            f"{model.version}@{model.precision}",
            result.id,
            result.text,
            *result_cells(result),
        )


class MessageFile:
    """JSON lines of whole messages; a context manager, complete or not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        partial = self._stack.enter_context(appearing(self._path))
        # Line by line, so that a person can watch the unfinished file grow.
        self._file = self._stack.enter_context(partial.open("w", buffering=1, encoding="utf-8"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, batch: ParsedBatch) -> None:
        """Add one message."""
        self._file.write(batch.model_dump_json() + "\n")
