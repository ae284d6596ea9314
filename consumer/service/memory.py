"""Whether a model fits beside those that are in memory: asked before, since after is too late.

A process that takes more than there is gets killed, and the models that serve with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from contracts.errors import FatalError

_FP32_BYTES: Final = 4
_HALF_BYTES: Final = 2
_CUDA_WORK_SHARE: Final = 0.25
_CUDA_RECORDINGS: Final = 300 * 2**20
"""Beside its weights a model needs room for one tile, whatever the batch (``parser.tiles``), for a
workspace, and for its recordings: 310 MiB in all for a base model on an H100, the libraries'
kernels included."""

_HOST_COPIES: Final = 3
"""While it is loaded the host holds the file's tensors, the network, and one laid-out copy."""

_CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Need:
    """What a model takes, in bytes: at most, while it is loaded."""

    host: int
    device: int = 0


@dataclass(frozen=True, slots=True)
class Free:
    """What is there, in bytes; None where nothing can be said."""

    host: int | None
    device: int | None = None


def need_of(parameters: int, *, on_cuda: bool, half: bool) -> Need:
    """The memory that a model of so many parameters takes at its peak."""
    host = parameters * _FP32_BYTES * _HOST_COPIES
    if not on_cuda:
        return Need(host)
    weights = parameters * (_HALF_BYTES if half else _FP32_BYTES)
    return Need(host, int(weights * (1 + _CUDA_WORK_SHARE)) + _CUDA_RECORDINGS)


def check_fits(need: Need, free: Free, *, version: str) -> None:
    """Refuse a model that does not fit.

    Raises:
        FatalError: ``model_too_large``.
    """
    for place, wanted, there in (
        ("memory", need.host, free.host),
        ("device memory", need.device, free.device),
    ):
        if there is not None and wanted > there:
            raise FatalError(
                f"model {version} needs {wanted / 1e9:.2f} GB of {place}, {there / 1e9:.2f} GB "
                "are free",
                code="model_too_large",
                hint="give the worker more memory; what serves now goes on",
            )


def free_host_bytes(cgroup: Path = _CGROUP) -> int:
    """What this process may still take: of the machine, and of its container's limit."""
    free = psutil.virtual_memory().available
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    if limit is not None and used is not None:
        # Cached files count as used and are given up when memory is wanted.
        free = min(free, max(0, limit - used + (_inactive_file(cgroup) or 0)))
    return free


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _inactive_file(cgroup: Path) -> int | None:
    try:
        lines = (cgroup / "memory.stat").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(" ")
        if name == "inactive_file" and value.isdigit():
            return int(value)
    return None


FreeMemory = Callable[[], Free]
