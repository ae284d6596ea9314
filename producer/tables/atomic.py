"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import UsageError


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a path to write to; it becomes ``path`` at the end, and nothing after a failure.

    Raises:
        UsageError: ``cannot_write``.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", code="cannot_write")
    # Beside its goal: a rename is atomic only within one file system.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        partial.touch()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", code="cannot_write"
        ) from None
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut; a file's own sync does not."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
