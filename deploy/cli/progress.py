"""Progress bars on standard error, only when a person watches it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PartDone = Callable[[str, float], None]
"""Told what is being done, and which part of it is done, in [0, 1]."""


class Bar(Protocol):
    """One bar of addresses."""

    def advance(self, addresses: int) -> None:
        """So many more are done."""
        ...


class Bars(Protocol):
    """Where bars are drawn."""

    def add(self, what: str, total: int | None = None) -> Bar:
        """A new bar; without a total it counts up."""
        ...


class _NoBar:
    def advance(self, addresses: int) -> None:
        """Nobody watches."""


class _NoBars:
    def add(self, what: str, total: int | None = None) -> Bar:  # noqa: ARG002  (the protocol's)
        return _NoBar()


@contextmanager
def address_bars() -> Iterator[Bars]:
    """Bars on a terminal, silence in a pipe."""
    if not sys.stderr.isatty():
        yield _NoBars()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("addresses"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )

    class _RichBar:
        def __init__(self, what: str, total: int | None) -> None:
            self._task = progress.add_task(what, total=total)

        def advance(self, addresses: int) -> None:
            progress.advance(self._task, addresses)

    class _RichBars:
        def add(self, what: str, total: int | None = None) -> Bar:
            return _RichBar(what, total)

    with progress:
        yield _RichBars()


@contextmanager
def progress_line() -> Iterator[PartDone]:
    """One line on standard error while a person watches it, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _what, _part: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda what, part: bar.update(task, description=what, completed=part)
