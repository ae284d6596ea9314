"""Tables as Parquet, in row groups; the columns of a Parquet input keep their types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from producer.tables.layout import NUMBER_COLUMNS
from producer.tables.text_tables import cell_text

ROW_GROUP_ROWS: Final = 10_000


class ArrowText(str):
    """A value that Python has no type for, as text; a Parquet table keeps it as it was.

    Attributes:
        scalar: the Arrow value.
    """

    scalar: Any

    @classmethod
    def of(cls, text: str, scalar: Any) -> ArrowText:
        """Both forms of one value."""
        made = cls(text)
        made.scalar = scalar
        return made


class ParquetTable:
    """One Parquet file.

    Args:
        columns: all names.
        added: how many of them, at the end, are this project's.
        schema: the Arrow schema of the others; None makes them all text.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, added: int, schema: Any) -> None:
        import pyarrow
        import pyarrow.parquet

        self._arrow: Any = pyarrow
        own = columns[len(columns) - added :]
        kept = columns[: len(columns) - added]
        kept_types = [pyarrow.string()] * len(kept) if schema is None else list(schema.types)
        self._is_text = [schema is None] * len(kept) + [False] * added
        fields = list(zip(kept, kept_types, strict=True))
        fields += [
            (name, pyarrow.float64() if name in NUMBER_COLUMNS else pyarrow.string())
            for name in own
        ]
        self._schema: Any = pyarrow.schema(fields)
        self._writer: Any = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._waiting: list[list[Any]] = [[] for _ in columns]

    def write(self, values: Sequence[Any]) -> None:
        """Add one row."""
        for column, value, is_text in zip(self._waiting, values, self._is_text, strict=True):
            if isinstance(value, ArrowText):
                column.append(str(value) if is_text else value.scalar)
            else:
                column.append(cell_text(value) if is_text and value is not None else value)
        if len(self._waiting[0]) >= ROW_GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting[0]:
            arrays = [
                self._arrow.array(column, type=field.type)
                for column, field in zip(self._waiting, self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
            self._waiting = [[] for _ in self._waiting]
