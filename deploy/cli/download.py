"""A progress bar for the broker's first download, when a person watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def jar_progress() -> Iterator[Callable[[int, int], None] | None]:
    """Give a callback that draws a bar on standard error, or None when that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("Downloading Kafka"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task: list[object] = []

        def update(done: int, total: int) -> None:
            if not task:
                task.append(bar.add_task("", total=total))
            bar.update(task[0], completed=done)  # type: ignore[arg-type]  # rich's own task id

        yield update
