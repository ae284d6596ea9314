"""The two pieces of Markdown that reference pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, one line for each row; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def prose(docstring: str | None) -> str:
    """A docstring as one line of Markdown: double backquotes become single ones."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join((docstring or "").split()))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
