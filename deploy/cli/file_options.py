"""The options by which people say how their file is written; shared by publish and parse."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from producer.rows import ReadOptions


# The same words as producer.rows.FileFormat and producer.tables.TableFormat, which are not
# imported here so that `mgeo --help` stays quick; a test holds them together.
class InputFormat(StrEnum):
    """How the addresses are written."""

    CSV = "csv"
    TSV = "tsv"
    XLSX = "xlsx"
    JSONL = "jsonl"
    PARQUET = "parquet"
    TEXT = "text"


class TableChoice(StrEnum):
    """How the table of results is written."""

    CSV = "csv"
    TSV = "tsv"
    XLSX = "xlsx"
    JSONL = "jsonl"
    PARQUET = "parquet"


FormatOption = Annotated[
    InputFormat | None,
    typer.Option("--format", help="Format of the file. Default: by its name; needed for -."),
]
TextColumnOption = Annotated[
    str | None,
    typer.Option(help="Column with the address. Default: found by its name (address, 地址 …)."),
]
IdColumnOption = Annotated[
    str | None,
    typer.Option(help="Column that names the row. Default: id or 编号, else the row number."),
]
EncodingOption = Annotated[
    str | None, typer.Option(help="Encoding of the text, e.g. gb18030. Default: found out.")
]
DelimiterOption = Annotated[
    str | None, typer.Option(help="Character between the columns of a csv. Default: found out.")
]
SheetOption = Annotated[str | None, typer.Option(help="Sheet of a workbook. Default: the first.")]
HeaderOption = Annotated[
    bool,
    typer.Option("--header/--no-header", help="Whether the first row names the columns."),
]
RejectsOption = Annotated[
    str | None,
    typer.Option(help="File for malformed lines. Default: FILE.rejects.csv, made when needed."),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Stop at a malformed line instead of setting it aside.")
]
OutFormatOption = Annotated[
    TableChoice | None, typer.Option(help="Format of the results. Default: by the file's name.")
]
SafeOption = Annotated[
    bool,
    typer.Option(
        "--safe-for-spreadsheets",
        help="In csv, put an apostrophe before cells that a spreadsheet would run as formulas.",
    ),
]


def read_options(
    format: InputFormat | None,  # noqa: A002  (the option's name)
    text_column: str | None,
    id_column: str | None,
    encoding: str | None,
    delimiter: str | None,
    sheet: str | None,
    header: bool,
) -> ReadOptions:
    """What was said about the file."""
    from producer.rows import FileFormat, ReadOptions

    if delimiter is not None:
        delimiter = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
        if len(delimiter) != 1:
            raise typer.BadParameter("a delimiter is one character; write tab for a tabulator")
    return ReadOptions(
        format=None if format is None else FileFormat(format.value),
        text_column=text_column,
        id_column=id_column,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        header=header,
    )
