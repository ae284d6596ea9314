"""Opening a file of addresses, whatever its format, and reading it row by row."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from contracts.errors import UsageError
from contracts.limits import MIB, Limits
from producer.rows.columnar import ParquetReader
from producer.rows.columns import find_column, find_id_column, find_text_column
from producer.rows.delimited import DelimitedReader
from producer.rows.encodings import SAMPLE_BYTES, check_encoding, detect_encoding
from producer.rows.jsonlines import JsonLinesReader
from producer.rows.model import BadLine, Record, RecordReader, Row, joined
from producer.rows.plain import PlainReader
from producer.rows.sheet import SheetReader

STDIN: Final = "-"


class FileFormat(StrEnum):
    """The formats that addresses can be read from."""

    CSV = "csv"
    TSV = "tsv"
    XLSX = "xlsx"
    JSONL = "jsonl"
    PARQUET = "parquet"
    TEXT = "text"


FORMAT_BY_SUFFIX: Final = {
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.TSV,
    ".tab": FileFormat.TSV,
    ".xlsx": FileFormat.XLSX,
    ".xlsm": FileFormat.XLSX,
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".parquet": FileFormat.PARQUET,
    ".pq": FileFormat.PARQUET,
    ".txt": FileFormat.TEXT,
    ".text": FileFormat.TEXT,
}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person said about the file; None where it is to be found out."""

    format: FileFormat | None = None
    text_column: str | None = None
    id_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header: bool = True


class AddressFile:
    """Rows of one file; a context manager that can be iterated any number of times.

    Standard input can be iterated once; with ``spool`` it is first copied to a temporary
    file, so that it can be read again.

    Raises (on entering):
        UsageError: ``no_file``, ``unknown_format``, and the codes of the readers.
    """

    def __init__(
        self,
        path: str,
        options: ReadOptions | None = None,
        *,
        spool: bool = False,
        limits: Limits | None = None,
        stdin: BinaryIO | None = None,
    ) -> None:
        self.options = options or ReadOptions()
        self._limits = limits or Limits()
        self._is_stdin = path == STDIN
        self._spool = spool
        self._path = Path(path)
        self._stdin = stdin
        self._stream: BinaryIO | None = None
        self._reader: RecordReader | None = None
        self._used = False
        self.format = self.options.format or format_of(path)
        self.encoding: str | None = None
        """The codec that the text is read with; None for binary formats."""
        self.columns: tuple[str, ...] = ()
        self.text_column = 0
        self.id_column: int | None = None

    def __enter__(self) -> Self:
        try:
            self._stream = self._open()
            self._reader = self._make_reader(self._stream)
            self.columns = self._reader.columns
            self.text_column = find_text_column(self.columns, self.options.text_column)
            self.id_column = find_id_column(self.columns, self.options.id_column, self.text_column)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    @property
    def schema(self) -> Any:
        """The Arrow schema of a Parquet file; None for other formats."""
        return getattr(self._reader, "schema", None)

    @property
    def delimiter(self) -> str | None:
        """What separates the columns; None for formats that have no such thing."""
        return getattr(self._reader, "delimiter", None)

    @property
    def sheet(self) -> str | None:
        """The name of the sheet that is read; None for formats without sheets."""
        return getattr(self._reader, "sheet", None)

    def digest(self) -> str:
        """SHA-256 of the content that rows are read from, in hexadecimal.

        Of the open file, which another one of its name may have replaced since.
        """
        stream, found = self._opened, hashlib.sha256()
        place = stream.tell()
        stream.seek(0)
        while block := stream.read(MIB):
            found.update(block)
        stream.seek(place)  # a reader goes on from there
        return found.hexdigest()

    @property
    def path(self) -> Path | None:
        """Where the file is; None for standard input."""
        return None if self._is_stdin else self._path

    def column(self, name: str, option: str) -> int:
        """The place of a column; raises UsageError naming all columns."""
        return find_column(self.columns, name, option)

    def __iter__(self) -> Iterator[Row | BadLine]:
        """The rows from the first one on."""
        reader = self._from_the_start()
        for number, record in enumerate(reader, start=1):
            yield self._row(number, record) if isinstance(record, Record) else record

    def _row(self, number: int, record: Record) -> Row | BadLine:
        cell = record.values[self.text_column]
        if isinstance(cell, dict | list | bool | bytes):
            return BadLine(record.line, "bad_text", joined(record.values))
        text = "" if cell is None else str(cell)
        name = None if self.id_column is None else record.values[self.id_column]
        identifier = str(number) if name in (None, "") else str(name)
        if len(identifier) > self._limits.max_id_chars:
            return BadLine(record.line, "bad_id", joined(record.values))
        return Row(number, record.line, identifier, text, record.values)

    def _from_the_start(self) -> RecordReader:
        stream, reader = self._opened, self._reader
        if reader is None or self._used:
            if not stream.seekable():
                raise UsageError("standard input can be read once only", code="read_once")
            if reader is not None:
                reader.close()
            stream.seek(0)
            self._reader = reader = self._make_reader(stream)
        self._used = True
        return reader

    @property
    def _opened(self) -> BinaryIO:
        if self._stream is None:
            raise UsageError("the file is not open", code="not_open")
        return self._stream

    def _open(self) -> BinaryIO:
        if not self._is_stdin:
            try:
                return self._path.open("rb")
            except OSError as error:
                raise UsageError(
                    f"{self._path} cannot be read: {error.strerror}", code="no_file"
                ) from None
        source = self._stdin or sys.stdin.buffer
        if not self._spool and self.format not in (FileFormat.XLSX, FileFormat.PARQUET):
            return source
        spooled = tempfile.TemporaryFile(prefix="mgeo-stdin-")  # noqa: SIM115  (closed by _close)
        shutil.copyfileobj(source, spooled)
        spooled.seek(0)
        return spooled

    def _make_reader(self, stream: BinaryIO) -> RecordReader:
        options = self.options
        match self.format:
            case FileFormat.XLSX:
                return SheetReader(stream, sheet=options.sheet, header=options.header)
            case FileFormat.PARQUET:
                return ParquetReader(stream)
            case _:
                stream, self.encoding = self._decoded(stream)
        match self.format:
            case FileFormat.JSONL:
                return JsonLinesReader(stream, self.encoding, whole=stream.seekable())
            case FileFormat.TEXT:
                return PlainReader(stream, self.encoding)
            case _:
                tab = "\t" if self.format is FileFormat.TSV else None
                return DelimitedReader(
                    stream,
                    self.encoding,
                    delimiter=options.delimiter or tab,
                    header=options.header,
                )

    def _decoded(self, stream: BinaryIO) -> tuple[BinaryIO, str]:
        """The stream at its beginning and its encoding."""
        if self.options.encoding is not None:
            return stream, check_encoding(self.options.encoding)
        if self.encoding is not None:  # found out before, when the file was first read
            return stream, self.encoding
        if stream.seekable():
            sample = _telling_sample(stream)
            stream.seek(0)
            return stream, detect_encoding(sample)
        # What has come so far has to do: a live stream must not wait for more.
        sample = stream.peek(1)  # type: ignore[attr-defined]  # standard input is buffered
        return stream, detect_encoding(sample)

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._stream is not None and self._stream is not (self._stdin or sys.stdin.buffer):
            self._stream.close()
        self._stream = None


def _telling_sample(stream: BinaryIO) -> bytes:
    """The first part of the file, or the first part that is not plain ASCII."""
    first = sample = stream.read(SAMPLE_BYTES)
    while sample and sample.isascii() and b"\0" not in sample:
        sample = stream.read(SAMPLE_BYTES)
    return sample or first


def format_of(path: str) -> FileFormat:
    """The format that a file's name says.

    Raises:
        UsageError: ``unknown_format``.
    """
    suffix = Path(path).suffix.lower()
    if suffix in FORMAT_BY_SUFFIX:
        return FORMAT_BY_SUFFIX[suffix]
    what = "standard input" if path == STDIN else f"a file named *{suffix or path}"
    raise UsageError(
        f"the format of {what} is not known",
        code="unknown_format",
        hint=f"say it with --format: {', '.join(FileFormat)}",
    )
