"""Parquet files, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from contracts.errors import UsageError
from producer.rows.model import BadLine, Record, distinct

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
                yield [column.to_pylist() for column in batch.columns]
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError):
            raise UsageError(
                "the Parquet file is damaged: its pages cannot be read", code="not_parquet"
            ) from None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
