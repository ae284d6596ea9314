"""Models as directories on this machine, each whole and verified, or not there at all.

Safe for many processes at once and against a kill at any moment: a model is put together
under another name and appears by one rename.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from consumer.store.backends import StoreFiles
from consumer.store.digests import (
    Progress,
    copy_and_hash,
    digest_mismatch,
    find_fault,
    find_mismatch,
    no_progress,
)
from consumer.store.manifest import MANIFEST_NAME, Manifest, StoredFile
from contracts.errors import FatalError

_ABANDONED_AFTER_S: Final = 24 * 3600
"""A partial model this old belongs to a process that is gone."""


def blob_path(file: StoredFile) -> str:
    """Where a store keeps a file's content."""
    return f"blobs/sha256/{file.sha256}"


class ModelCache:
    """Directories ``<version>-<start of the manifest's digest>`` under one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def directory_of(self, manifest: Manifest) -> Path:
        """Where this model lies once it is here. Another content is another directory."""
        key = hashlib.sha256(manifest.to_json()).hexdigest()[:16]
        return self.root / f"{manifest.version}-{key}"

    def ensure(
        self, manifest: Manifest, files: StoreFiles, progress: Progress = no_progress
    ) -> Path:
        """The model's directory, every file of it verified just now.

        A copy of which a file is damaged is fetched again, once; a model that does not fit
        its digests in the store itself is refused.

        Raises:
            FatalError: ``model_digest_mismatch``, or ``model_cache_full`` when this machine
                has no room for it.
            TransientError: ``model_store_unreachable``.
        """
        final = self.directory_of(manifest)
        with self._usable():
            self.root.mkdir(parents=True, exist_ok=True)
            with self._alone(final.name):
                if final.is_dir():
                    if find_fault(final, manifest.files, progress) is None:
                        return final
                    self._discard(final)
                self._sweep()
                self._fill(final, manifest, files, progress)
        return final

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty directory that is gone afterwards; after a kill, a day later.

        Raises:
            FatalError: ``model_cache_full``, ``model_cache_unusable``.
        """
        with self._usable():
            self.root.mkdir(parents=True, exist_ok=True)
            self._sweep()
            partial = self._new_partial()
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _new_partial(self) -> Path:
        partial = self.root / f".partial-{uuid.uuid4().hex}"
        partial.mkdir()
        return partial

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FatalError(
                f"the model cache {self.root} cannot be written: {error.strerror}",
                code=(
                    "model_cache_full" if error.errno == errno.ENOSPC else "model_cache_unusable"
                ),
                hint="make room or set MGEO_MODEL_CACHE to a directory that can be written",
            ) from error

    def _fill(self, final: Path, manifest: Manifest, files: StoreFiles, progress: Progress) -> None:
        partial = self._new_partial()
        try:
            for file in manifest.files:
                problem = _bring(file, files, partial / file.name, progress)
                if problem is not None:
                    raise digest_mismatch(manifest.version, problem, files.place)
            (partial / MANIFEST_NAME).write_bytes(manifest.to_json())
            partial.rename(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One process at a time per model. The kernel lets go of a killed holder's lock."""
        with (self.root / f".lock-{name}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _discard(self, directory: Path) -> None:
        """Out of sight in one step, then away."""
        grave = self.root / f".partial-{uuid.uuid4().hex}"
        directory.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)

    def _sweep(self) -> None:
        now = time.time()
        for partial in self.root.glob(".partial-*"):
            try:
                abandoned = now - partial.stat().st_mtime > _ABANDONED_AFTER_S
            except FileNotFoundError:
                continue
            if abandoned:
                shutil.rmtree(partial, ignore_errors=True)


def _bring(file: StoredFile, files: StoreFiles, target: Path, progress: Progress) -> str | None:
    """Put a file's content at ``target``; what is wrong with it as a clause, or None."""
    if files.local_root is not None and _linked(files.local_root / blob_path(file), target):
        return find_mismatch(target.parent, (file,), progress)
    try:
        with files.open(blob_path(file)) as source, target.open("xb") as out:
            sha256, size = copy_and_hash(
                source, out, limit_bytes=file.size_bytes, progress=progress
            )
            out.flush()
            os.fsync(out.fileno())
    except FileNotFoundError:
        return f"{file.name} is missing"
    if size != file.size_bytes:
        return f"{file.name} has not the {file.size_bytes:,} bytes that were stored"
    if sha256 != file.sha256:
        return f"the content of {file.name} is not what was stored"
    target.chmod(0o444)
    return None


def _linked(blob: Path, target: Path) -> bool:
    """On one file system a second name costs nothing; elsewhere a copy is made."""
    try:
        os.link(blob, target)
    except OSError:
        return False
    return True
