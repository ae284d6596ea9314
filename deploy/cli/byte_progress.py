"""A progress bar in bytes on standard error, only when a person watches it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def byte_bar(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many bytes were just done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import TaskID

    with _progress() as progress:
        task: TaskID = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)


@contextmanager
def file_bars() -> Iterator[Callable[[str, int, int], None] | None]:
    """Give a function that is told a file's name, its size and the bytes that just came.

    None in a pipe: nobody watches.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import TaskID

    with _progress() as progress:
        tasks: dict[str, TaskID] = {}

        def came(name: str, size: int, done: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=size or None)
            progress.advance(tasks[name], done)

        yield came


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
