"""Printing data for people (tables) and programs (JSON), chosen with --output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer


class Output(StrEnum):
    """The two ways in which commands print data."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output, typer.Option("--output", help="A table for people or JSON for programs.")
]


def print_json(document: Any) -> None:
    """Print one JSON document; Chinese text stays readable."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def print_json_line(document: Any) -> None:
    """Print one JSON document on one line, for commands that print many."""
    print(json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print rows as a table that fits the terminal; cells are text, never markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # A pipe has no width of its own: rows must not be folded for programs that read lines.
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(table)


def print_records(
    records: Sequence[Mapping[str, Any]], columns: Sequence[str], output: Output
) -> None:
    """Print records as one JSON array, or as a table of the named columns."""
    if output is Output.JSON:
        print_json(list(records))
    else:
        rows = [["" if r.get(c) is None else str(r[c]) for c in columns] for r in records]
        print_table(columns, rows)


def note(text: str) -> None:
    """Say something to the person watching, apart from the data on standard output."""
    print(text, file=sys.stderr)
