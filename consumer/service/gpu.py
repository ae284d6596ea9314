"""GPU utilisation and memory for the metrics, where there is a GPU and its library."""

from __future__ import annotations

import asyncio
import importlib
from types import ModuleType
from typing import Any

from contracts.logs import get_logger
from contracts.metrics import Metrics

_log = get_logger(__name__)

_EVERY_S = 5.0


async def watch_gpu(metrics: Metrics, *, every_s: float = _EVERY_S) -> None:
    """Read the first GPU every few seconds, until cancelled; ends at once where there is none.

    The library is NVIDIA's own (``nvidia-ml-py``, module ``pynvml``); its calls are short.
    """
    found = await asyncio.to_thread(_first_gpu)
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


def _first_gpu() -> tuple[ModuleType, Any] | None:
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        return nvml, nvml.nvmlDeviceGetHandleByIndex(0)
    except nvml.NVMLError:
        return None


def _read(nvml: ModuleType, gpu: Any) -> tuple[float, float]:
    """Utilisation in [0, 1] and memory in bytes."""
    try:
        busy = nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100
    except nvml.NVMLError_NotSupported:  # a slice of a partitioned GPU has no rate of its own
        busy = float("nan")
    return busy, float(nvml.nvmlDeviceGetMemoryInfo(gpu).used)
