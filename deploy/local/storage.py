"""The broker's data folder: what state it is in, and making a new one in one step.

Never deletes a folder that holds records.
"""

from __future__ import annotations

import base64
import errno
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from deploy.errors import BrokerStartError, DataFolderError, DiskFullError
from deploy.local.process import environment

DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
FULL_BELOW_MIB = 8
META = "meta.properties"
REQUIRED_META = ("version", "cluster.id", "node.id")
# What a format, or a broker's very first moments, may leave behind; none of it is a record.
FORMAT_LEFTOVERS = re.compile(
    r"meta\.properties(\.tmp)?|bootstrap\.checkpoint(\.tmp)?|\.lock|\.kafka_cleanshutdown"
    r"|__cluster_metadata-0|[\w-]+-checkpoint(\.tmp)?"
)


class FolderState(StrEnum):
    EMPTY = "empty"
    FORMATTED = "formatted"
    HALF_WRITTEN = "half_written"
    """A format that was interrupted: nothing but its leftovers, safe to make anew."""
    DAMAGED = "damaged"
    """Topics are there, but the file that says whose they are is missing or broken."""
    FOREIGN = "foreign"
    """Something that no broker wrote."""


def parse_meta(text: str) -> dict[str, str]:
    """Read the key=value lines of a meta.properties file."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def judge_folder(names: Iterable[str], meta: Mapping[str, str] | None) -> FolderState:
    """Say what a data folder is, from the names in it and its parsed meta.properties, if any."""
    names = set(names)
    if not names:
        return FolderState.EMPTY
    if meta is not None and all(meta.get(key) for key in REQUIRED_META):
        return FolderState.FORMATTED
    rest = {name for name in names if not FORMAT_LEFTOVERS.fullmatch(name)}
    if not rest:
        return FolderState.HALF_WRITTEN
    if all(re.fullmatch(r".+-\d+(\..*)?", name) for name in rest):
        return FolderState.DAMAGED
    return FolderState.FOREIGN


def inspect_folder(data_dir: Path) -> FolderState:
    """Look at a data folder on disk; a folder that does not exist is empty."""
    if not data_dir.exists():
        return FolderState.EMPTY
    if not data_dir.is_dir():
        return FolderState.FOREIGN
    meta_file = data_dir / META
    meta = parse_meta(meta_file.read_text(errors="replace")) if meta_file.is_file() else None
    return judge_folder((entry.name for entry in data_dir.iterdir()), meta)


def prepare_folder(data_dir: Path) -> bool:
    """Make sure the folder can be started from or formatted; true when it must be formatted.

    The leftovers of an interrupted format are removed. Raises DataFolderError for a folder
    with records but no valid meta.properties, and for one that is not a broker's.
    """
    state = inspect_folder(data_dir)
    match state:
        case FolderState.FORMATTED:
            return False
        case FolderState.EMPTY:
            return True
        case FolderState.HALF_WRITTEN:
            shutil.rmtree(data_dir)
            return True
        case FolderState.DAMAGED:
            raise DataFolderError(
                f"The broker's data folder {data_dir} holds topics, but its {META} is missing or "
                "incomplete.",
                hint=f"Restore {META} from a copy, or give the data up with: mgeo down --wipe",
            )
        case FolderState.FOREIGN:
            raise DataFolderError(
                f"{data_dir} is not a broker's data folder: it holds files of something else.",
                hint="Choose another folder with MGEO_STATE_DIR.",
            )


def nearest_existing(folder: Path) -> Path:
    """The folder itself, or the first of its parents that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def require_free_disk(folder: Path, minimum_mib: int) -> None:
    """Raise DiskFullError when the disk under `folder` has less than `minimum_mib` MiB free."""
    free_mib = shutil.disk_usage(nearest_existing(folder)).free // (1024 * 1024)
    if free_mib < minimum_mib:
        raise DiskFullError(
            f"The disk that holds {folder} has {free_mib} MiB free; the broker needs "
            f"{minimum_mib} MiB.",
            hint="Free some space, or move the broker with MGEO_CACHE_DIR=<a folder elsewhere>.",
        )


def is_full(folder: Path) -> bool:
    """Whether the disk under a folder has practically nothing left."""
    return shutil.disk_usage(nearest_existing(folder)).free < FULL_BELOW_MIB * 1024 * 1024


def new_cluster_id() -> str:
    """A random cluster id in Kafka's format: 16 bytes, URL-safe base64 without padding."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):  # the formatter would read it as an option
            return text


def format_folder(
    data_dir: Path,
    properties: Callable[[Path], str],
    command: Sequence[str],
    timeout_s: float,
    secret_arguments: Sequence[str] = (),
) -> None:
    """Format a new data folder so that it appears whole or not at all.

    `command` is the formatter without its arguments; `properties` writes the broker's
    configuration for a folder. `secret_arguments` reach the formatter through a file, since a
    command line can be read by everybody. Raises BrokerStartError with what Kafka said.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{data_dir.name}-format-"
    for leftover in data_dir.parent.glob(f"{prefix}*"):  # of a format that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=data_dir.parent))
    try:
        fresh = scratch / "data"
        config = scratch / "server.properties"
        config.write_text(properties(fresh), encoding="utf-8")
        arguments = ["format", "--cluster-id", new_cluster_id(), "--config", str(config)]
        if secret_arguments:
            more = scratch / "arguments"
            more.write_text("\n".join(secret_arguments), encoding="utf-8")
            arguments.append(f"@{more}")
        try:
            result = subprocess.run(  # noqa: S603 - our own command line
                [*command, *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
                env=environment(),
                cwd=scratch,
            )
        except subprocess.TimeoutExpired:
            raise BrokerStartError(
                f"Formatting the broker's data folder took longer than {timeout_s:g} s.",
                hint="The machine may be overloaded: try again, or raise "
                "MGEO_BROKER_START_TIMEOUT_S.",
            ) from None
        if result.returncode != 0 or inspect_folder(fresh) is not FolderState.FORMATTED:
            raise BrokerStartError(
                f"Kafka could not format its data folder {data_dir}.",
                hint="See what it said below; `mgeo doctor` checks Java and the disk.",
                details=(result.stdout + result.stderr).strip()[-2000:],
            )
        if data_dir.exists():
            data_dir.rmdir()  # empty, or this fails: never replace a folder that has something
        fresh.replace(data_dir)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
