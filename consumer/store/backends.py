"""Where a store's files lie: a local directory, or anything that fsspec reaches.

Two kinds of name only: ``blobs/sha256/<hex>``, immutable, and ``versions/<version>.json``,
created once. Neither backend interprets what it keeps.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self
from urllib.parse import urlsplit

import fsspec

from contracts.errors import TransientError, UsageError


class StoreFiles(Protocol):
    """A flat set of files that many processes may use at once.

    Every method raises ``TransientError`` (``model_store_unreachable``) when the place
    cannot be read or written.
    """

    @property
    def place(self) -> str:
        """For people: a path or a URL without credentials."""
        ...

    @property
    def local_root(self) -> Path | None:
        """The directory, where it is one of this machine."""
        ...

    def names(self, folder: str) -> list[str]:
        """The files of a folder, sorted; none where there is no such folder."""
        ...

    def size(self, path: str) -> int | None:
        """In bytes; None where there is no such file."""
        ...

    def open(self, path: str) -> Reader:
        """To read. Raises FileNotFoundError."""
        ...

    def put(self, source: Path, path: str) -> None:
        """Write a whole file; replaces what may be there."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file if there is none of this name; False, and no change, if there is."""
        ...

    def delete(self, path: str) -> None:
        """Remove it; no error where there is none."""
        ...

    def writing_alone(self) -> AbstractContextManager[None]:
        """Keep other writers out meanwhile, where the place has such a lock."""
        ...


class Reader:
    """A stored file being read: what goes wrong is the store's trouble, by name."""

    def __init__(self, raw: BinaryIO, place: str) -> None:
        self._raw = raw
        self._place = place

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises TransientError."""
        with _reporting(self._place):
            return self._raw.read(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()


def open_files(location: str) -> StoreFiles:
    """The backend of a directory or an fsspec URL (``s3://bucket/models``, ``memory://x``).

    Raises:
        UsageError: ``bad_model_store``, for a URL that no installed fsspec backend reads.
    """
    scheme, separator, rest = location.partition("://")
    if not separator:
        return LocalFiles(Path(location).expanduser())
    if scheme in ("file", "local"):
        return LocalFiles(Path(rest))
    try:
        filesystem, root = fsspec.core.url_to_fs(location)
    except (ImportError, ValueError) as error:
        # What is no missing package may repeat the URL, and a password with it.
        reason = f": {error}" if isinstance(error, ImportError) else ""
        raise UsageError(
            f"the model store cannot be reached through {scheme}://{reason}",
            code="bad_model_store",
            hint="give a directory, or install the fsspec backend of this scheme "
            "(s3fs, gcsfs, adlfs …)",
        ) from error
    return SharedFiles(filesystem, root, _place(location))


def _place(location: str) -> str:
    """Scheme, host and path. What a backend makes of a URL is not shown: some keep all of it."""
    scheme, rest = location.partition("://")[0], location.rpartition("://")[2]
    try:
        url = urlsplit(f"//{rest}")
        _ = url.port  # a password with a slash in it looks like a host and a port that is none
    except ValueError:
        return f"{scheme}://…"
    return f"{scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"


@contextmanager
def _reporting(place: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except TransientError:
        raise
    except Exception as error:
        # Broad on purpose: every fsspec backend has exceptions of its own.
        reason = error.strerror if isinstance(error, OSError) else None
        raise TransientError(
            f"the model store {place} cannot be used: {reason or type(error).__name__}",
            code="model_store_unreachable",
            hint="check MGEO_MODEL_STORE, its access rights and that the place is reachable",
        ) from error


class LocalFiles:
    """A directory. Every file appears whole or not at all, also after a crash."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        """The path."""
        return str(self._root)

    @property
    def local_root(self) -> Path | None:
        """The path."""
        return self._root

    def names(self, folder: str) -> list[str]:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            try:
                return sorted(
                    entry.name for entry in (self._root / folder).iterdir() if entry.is_file()
                )
            except FileNotFoundError:
                return []

    def size(self, path: str) -> int | None:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            try:
                return (self._root / path).stat().st_size
            except FileNotFoundError:
                return None

    def open(self, path: str) -> Reader:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            return Reader((self._root / path).open("rb"), self.place)

    def put(self, source: Path, path: str) -> None:
        """See :class:`StoreFiles`."""

        def write(target: BinaryIO) -> None:
            with source.open("rb") as data:
                shutil.copyfileobj(data, target, 4 * 1024 * 1024)

        with _reporting(self.place), self._written(write) as partial:
            final = self._root / path
            final.parent.mkdir(parents=True, exist_ok=True)
            partial.chmod(0o444)
            partial.replace(final)
            _sync_directory(final.parent)

    def create(self, path: str, data: bytes) -> bool:
        """See :class:`StoreFiles`. A hard link is made or refused in one step."""
        with _reporting(self.place), self._written(lambda file: file.write(data)) as partial:
            final = self._root / path
            final.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(partial, final)
            except FileExistsError:
                return False
            except OSError:
                # A file system without hard links; the lock keeps other writers out.
                if final.exists():
                    return False
                partial.replace(final)
            _sync_directory(final.parent)
            return True

    def delete(self, path: str) -> None:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            (self._root / path).unlink(missing_ok=True)

    @contextmanager
    def writing_alone(self) -> Iterator[None]:
        """See :class:`StoreFiles`. The kernel lets go of a killed holder's lock."""
        with _reporting(self.place):
            self._root.mkdir(parents=True, exist_ok=True)
            lock = (self._root / ".lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with lock:
            # No other writer is alive: what is partial was left by one that was killed.
            shutil.rmtree(self._root / "partial", ignore_errors=True)
            yield

    @contextmanager
    def _written(self, write: Callable[[BinaryIO], object]) -> Iterator[Path]:
        folder = self._root / "partial"
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / uuid.uuid4().hex
        try:
            with partial.open("xb") as target:
                write(target)
                target.flush()
                os.fsync(target.fileno())
            yield partial
        finally:
            partial.unlink(missing_ok=True)


class SharedFiles:
    """Anything that fsspec reaches. A torn upload is seen by its size and written again;
    a reader checks every digest, so it can never be served."""

    def __init__(self, filesystem: Any, root: str, place: str) -> None:
        self._fs = filesystem
        self._root = root.rstrip("/")
        self._place = place

    @property
    def place(self) -> str:
        """Scheme and path; what else the URL held (user, password, options) stays out."""
        return self._place

    @property
    def local_root(self) -> Path | None:
        """None: elsewhere."""
        return None

    def names(self, folder: str) -> list[str]:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            self._fs.invalidate_cache()
            try:
                entries = self._fs.ls(f"{self._root}/{folder}", detail=True)
            except FileNotFoundError:
                return []
            return sorted(
                str(entry["name"]).rpartition("/")[2]
                for entry in entries
                if entry["type"] == "file"
            )

    def size(self, path: str) -> int | None:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            self._fs.invalidate_cache()
            try:
                return int(self._fs.info(f"{self._root}/{path}")["size"])
            except FileNotFoundError:
                return None

    def open(self, path: str) -> Reader:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            return Reader(self._fs.open(f"{self._root}/{path}", "rb"), self.place)

    def put(self, source: Path, path: str) -> None:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            final = f"{self._root}/{path}"
            self._fs.makedirs(final.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(source), final)

    def create(self, path: str, data: bytes) -> bool:
        """See :class:`StoreFiles`. One step where the backend knows ``mode="create"``."""
        with _reporting(self.place):
            final = f"{self._root}/{path}"
            self._fs.makedirs(final.rpartition("/")[0], exist_ok=True)
            self._fs.invalidate_cache()
            if self._fs.exists(final):
                return False
            try:
                self._fs.pipe_file(final, data, mode="create")
            except FileExistsError:
                return False
            except (TypeError, NotImplementedError):
                # An older backend: between the look and the write another may slip in. Both
                # then hold a whole manifest, and add reads back which one stayed.
                self._fs.pipe_file(final, data)
            return True

    def delete(self, path: str) -> None:
        """See :class:`StoreFiles`."""
        with _reporting(self.place):
            try:
                self._fs.rm_file(f"{self._root}/{path}")
            except FileNotFoundError:
                return

    def writing_alone(self) -> AbstractContextManager[None]:
        """See :class:`StoreFiles`. An object store has no lock."""
        return nullcontext()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
