"""What was measured on: the figures mean nothing without it."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = ("torch", "transformers", "tokenizers", "aiokafka", "modelscope", "numpy")


def describe_machine() -> dict[str, Any]:
    """Processor, memory, operating system, interpreter and the packages that set the speed."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "gpu": _gpu(),
    }


def load_average() -> float:
    """Processes that ran or waited over the last minute: how quiet the machine was."""
    return os.getloadavg()[0]


def commit() -> str:
    """The checkout that was measured; empty where it is none."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(  # noqa: S603  (git, and our own arguments)
            ["git", "-C", str(here), "describe", "--always", "--dirty"],  # noqa: S607  (git by name)
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
