"""Parquet files, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from contracts.errors import UsageError
from producer.rows.model import BadLine, Record, distinct
from producer.tables.columnar_table import ArrowText

_BATCH_ROWS = 1000


class ParquetReader:
    """One Parquet file.

    Attributes:
        schema: the Arrow schema, so that a Parquet result keeps the types.

    Raises:
        UsageError: ``not_parquet``, ``empty_file`` (a file without columns).
    """

    def __init__(self, stream: BinaryIO) -> None:
        import pyarrow
        import pyarrow.parquet

        try:
            self._file: Any = pyarrow.parquet.ParquetFile(stream)
        except pyarrow.ArrowException:
            raise UsageError("the file is not a Parquet file", code="not_parquet") from None
        self.schema: Any = self._file.schema_arrow
        if not self.schema.names:
            raise UsageError("the file has no columns", code="empty_file")
        self.columns = distinct(list(self.schema.names))

    def __iter__(self) -> Iterator[Record | BadLine]:
        line = 0
        for columns in self._batches():
            for values in zip(*columns, strict=True):
                line += 1
                yield Record(line, values)

    def _batches(self) -> Iterator[list[list[Any]]]:
        import pyarrow

        try:
            for batch in self._file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                yield [
                    _values(name, column)
                    for name, column in zip(self.columns, batch.columns, strict=True)
                ]
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError):
            raise UsageError(
                "the Parquet file is damaged: its pages cannot be read", code="not_parquet"
            ) from None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _values(name: str, column: Any) -> list[Any]:
    """A column as Python values. Times that Python cannot hold are text, and stay themselves in
    a Parquet result: nobody may need the column.
    """
    import pyarrow

    if str(column.type).startswith(("timestamp[ns", "time64[ns")):
        return _times_as_text(column)
    try:
        values: list[Any] = column.to_pylist()
        return values
    except UnicodeDecodeError:  # a ValueError, too
        raise
    except (ValueError, OverflowError):
        try:
            return _times_as_text(column)
        except pyarrow.ArrowNotImplementedError:
            raise UsageError(
                f"column {name} holds times that cannot be read",
                code="not_parquet",
                hint="write the file without that column, or with the times as text",
            ) from None


def _times_as_text(column: Any) -> list[Any]:
    import pyarrow

    texts = column.cast(pyarrow.string()).to_pylist()
    return [
        None if text is None else ArrowText.of(text.replace(" ", "T", 1), scalar)
        for text, scalar in zip(texts, column, strict=True)
    ]
