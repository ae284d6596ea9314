"""GPU utilisation and memory for the metrics, where there is a GPU and its library."""

from __future__ import annotations

import asyncio
import importlib
import os
from types import ModuleType
from typing import Any

from contracts.logs import get_logger
from contracts.metrics import Metrics

_log = get_logger(__name__)

_EVERY_S = 5.0


async def watch_gpu(metrics: Metrics, device: str, *, every_s: float = _EVERY_S) -> None:
    """Read the worker's GPU every few seconds, until cancelled; ends at once where it has none.

    The library is NVIDIA's own (``nvidia-ml-py``, module ``pynvml``); its calls are short.

    Args:
        metrics: those of the worker.
        device: as in ``MGEO_DEVICE``.
        every_s: seconds between two readings.
    """
    gpu_id = gpu_of(device, os.environ.get("CUDA_VISIBLE_DEVICES"))
    found = None if gpu_id is None else await asyncio.to_thread(_opened, gpu_id)
    if found is None:
        return
    nvml, gpu = found
    utilisation = metrics.gauge("mgeo_gpu_utilisation_ratio")
    memory = metrics.gauge("mgeo_gpu_memory_bytes")
    while True:
        try:
            rates, used = await asyncio.to_thread(_read, nvml, gpu)
        except nvml.NVMLError as error:
            _log.warning("GPU not readable", error=type(error).__name__)
            return
        utilisation.set(rates)
        memory.set(used)
        await asyncio.sleep(every_s)


def gpu_of(device: str, visible: str | None) -> int | str | None:
    """The GPU, by number or UUID, that CUDA gives to a device; None where it gives none. Pure.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        visible: ``CUDA_VISIBLE_DEVICES``, which renumbers them; None where it is not set. Whole
            UUIDs only: CUDA takes the beginning of one as well, NVIDIA's library does not.
    """
    if device == "cpu":
        return None
    _, _, number = device.partition(":")
    ordinal = int(number) if number.isdecimal() else 0
    if visible is None:
        return ordinal
    shown = [entry.strip() for entry in visible.split(",")]
    if ordinal >= len(shown) or shown[ordinal] in {"", "-1"}:
        return None
    entry = shown[ordinal]
    return int(entry) if entry.isdecimal() else entry


def _opened(gpu_id: int | str) -> tuple[ModuleType, Any] | None:
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        if isinstance(gpu_id, int):
            return nvml, nvml.nvmlDeviceGetHandleByIndex(gpu_id)
        return nvml, nvml.nvmlDeviceGetHandleByUUID(gpu_id)
    except nvml.NVMLError:
        return None


def _read(nvml: ModuleType, gpu: Any) -> tuple[float, float]:
    """Utilisation in [0, 1] and memory in bytes."""
    try:
        busy = nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100
    except nvml.NVMLError_NotSupported:  # a slice of a partitioned GPU has no rate of its own
        busy = float("nan")
    return busy, float(nvml.nvmlDeviceGetMemoryInfo(gpu).used)
