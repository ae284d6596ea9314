"""SHA-256 of files, and the one sentence that is said when it is not the expected one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from consumer.store.manifest import READ_FILES, StoredFile
from contracts.errors import FatalError

_BLOCK_BYTES = 4 * 1024 * 1024

Progress = Callable[[int], None]
"""Called with the number of bytes just done."""


def no_progress(_: int) -> None:
    """Nobody watches."""


class Readable(Protocol):
    """What bytes come from."""

    def read(self, size: int, /) -> bytes:
        """At most so many; none at the end."""
        ...


def copy_and_hash(
    source: Readable,
    target: BinaryIO | None,
    *,
    limit_bytes: int,
    progress: Progress = no_progress,
) -> tuple[str, int]:
    """Read at most ``limit_bytes + 1`` bytes, write them to ``target`` if there is one.

    Returns:
        The SHA-256 (hex) and the count of what was read.
    """
    digest = hashlib.sha256()
    count = 0
    while count <= limit_bytes:
        block = source.read(min(_BLOCK_BYTES, limit_bytes + 1 - count))
        if not block:
            break
        digest.update(block)
        if target is not None:
            target.write(block)
        count += len(block)
        progress(len(block))
    return digest.hexdigest(), count


def hash_file(path: Path, progress: Progress = no_progress) -> str:
    """SHA-256 (hex) of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()


def describe_file(path: Path, progress: Progress = no_progress) -> StoredFile:
    """Name, digest and size of a file as it lies there."""
    return StoredFile(
        name=path.name, sha256=hash_file(path, progress), size_bytes=path.stat().st_size
    )


def find_mismatch(
    directory: Path, files: tuple[StoredFile, ...], progress: Progress = no_progress
) -> str | None:
    """The first file that is missing or not what its digest says, as a clause; None if sound."""
    for file in files:
        path = directory / file.name
        if not path.is_file():
            return f"{file.name} is missing"
        size = path.stat().st_size
        if size != file.size_bytes:
            return f"{file.name} has {size:,} bytes instead of {file.size_bytes:,}"
        if hash_file(path, progress) != file.sha256:
            return f"the content of {file.name} is not what was stored"
    return None


def find_fault(
    directory: Path, files: tuple[StoredFile, ...], progress: Progress = no_progress
) -> str | None:
    """As :func:`find_mismatch`; also a file that loading would read and nobody vouches for."""
    names = {file.name for file in files}
    for name in sorted(READ_FILES - names):
        if os.path.lexists(directory / name):
            return f"{name} lies there and is no part of it"
    return find_mismatch(directory, files, progress)


def digest_mismatch(version: str, problem: str, where: str) -> FatalError:
    """``model_digest_mismatch``: this model must not be served."""
    return FatalError(
        f"model {version} is not what its digest says: {problem} (in {where})",
        code="model_digest_mismatch",
        hint="nothing was loaded; find out who changed the store, then restore the file, or "
        f"mgeo model remove {version} and add the model again from a source you trust",
    )
