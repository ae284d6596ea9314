"""The journal of one run: what is needed to go on after the process was killed.

It may lag behind the log; it never runs ahead of it. It holds no address.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.errors import UsageError
from producer.publishing.confirmed import Known
from producer.tables.atomic import sync_folder


class Journal(BaseModel):
    """One run of one file into one topic, as of the last checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    run_id: str
    digest: str
    """SHA-256 of the file: a changed file has another plan."""
    plan: dict[str, str | int | None]
    """Every option that decides which rows are in which batch."""
    topic: str
    floors: dict[int, int]
    """See ``Known.floors``, of the input topic."""
    prefix: int = 0
    beyond: tuple[int, ...] = ()
    result_floors: dict[int, int]
    """The ends of the result topic before the run: its results lie at or above."""
    dead_letter_floors: dict[int, int]
    """The same of the dead-letter topic."""
    complete: bool = False
    """Whether everything was confirmed."""
    written_at: datetime

    @property
    def known(self) -> Known:
        """What this says about the log."""
        return Known(self.prefix, self.beyond, self.floors)

    def other_options(
        self, options: Mapping[str, str | int | None], left_open: Collection[str]
    ) -> list[str]:
        """The options that this run was not planned with.

        Args:
            options: those of now.
            left_open: options that have their default. One that an older journal does not
                hold is taken to have had it; to say it now is another plan.
        """
        return sorted(
            name
            for name, value in options.items()
            if (self.plan[name] != value if name in self.plan else name not in left_open)
        )

    def at(self, known: Known, *, complete: bool = False) -> Journal:
        """The same run, later."""
        return self.model_copy(
            update={
                "floors": dict(known.floors),
                "prefix": known.prefix,
                "beyond": known.beyond,
                "complete": complete,
                "written_at": datetime.now(UTC),
            }
        )

    def write(self, path: Path) -> None:
        """Put it on disk as a whole: a crash leaves the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.part")
        with partial.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)


def read_journal(path: Path) -> Journal | None:
    """The journal at a path, if there is one.

    Raises:
        UsageError: ``bad_journal``.
    """
    try:
        return Journal.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError):
        raise UsageError(
            f"{path} is not a journal that this version can read",
            code="bad_journal",
            hint="publish with --again to send the whole file anew",
        ) from None


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep any other process from using this journal; a killed process lets go by itself.

    Raises:
        UsageError: ``already_publishing``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                "this file is being published by another process",
                code="already_publishing",
                hint="wait for it, or stop it and use --resume",
            ) from None
        yield


def journal_path(folder: Path, source: Path, topic: str, bootstrap_servers: str) -> Path:
    """Where the journal of a file, topic and cluster lies."""
    name = f"{source.resolve()}\0{topic}\0{bootstrap_servers}"
    return folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"
