"""The network on one device: padded token ids in, tag scores out.

fp32 on the CPU, half precision on CUDA. The only place that knows what running out of
device memory looks like.
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from consumer.parser.network import Forward, TaggingNetwork, padded_rows, without_python
from consumer.parser.seams import DeviceLostError, DeviceOutOfMemoryError, Scores, TokenIds
from consumer.parser.tiles import CudaGraphs, Tiles
from contracts.errors import UsageError
from contracts.spec import Precision

_DTYPES: Final = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_FINE_S: Final = 1e-6
_OWN_S: Final = (
    time.thread_time
    if time.get_clock_info("thread_time").resolution <= _FINE_S
    else time.perf_counter
)
"""Processor time of the calling thread, where the system counts it finely enough. With several
threads of torch this one computes its share of every product, so that ratios stay true."""

_SINGLE_TOKENS: Final = 128
"""Nearly every address has fewer."""

_CUDA_PADDING_WASTE: Final = 0.1


def choose_device(name: str) -> torch.device:
    """The device that a setting names: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: ``bad_device`` when it is no such name, ``device_not_found`` when there is
            no such device.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, ValueError):
        device = None
    if device is None or device.type not in {"cpu", "cuda"}:
        raise UsageError(
            f"{name[:40]!r} is not a device",
            code="bad_device",
            hint="write auto, cpu, cuda or cuda:N",
        )
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise UsageError(
                f"there is no device {name}: CUDA shows {count}",
                code="device_not_found",
                hint="use auto or cpu, or check the driver with nvidia-smi",
            )
        return torch.device("cuda", device.index or 0)
    return device


def choose_precision(asked: str, device: torch.device) -> Precision:
    """The precision for a device: ``auto`` is fp16 on CUDA and fp32 on the CPU.

    Raises:
        UsageError: ``bad_precision`` for a half precision on the CPU, where it is slower and
            less exact.
    """
    if asked == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    if asked == "fp32":
        return "fp32"
    if device.type == "cpu":
        raise UsageError(
            f"{asked} is for CUDA devices; the CPU runs fp32",
            code="bad_precision",
            hint="set MGEO_PRECISION=auto",
        )
    return "bf16" if asked == "bf16" else "fp16"


class TorchEncoder:
    """One network on one device (``seams.Encoder``)."""

    def __init__(
        self,
        network: TaggingNetwork,
        *,
        device: torch.device,
        precision: Precision,
        cpu_threads: int = 0,
    ) -> None:
        """Move the network to its device.

        Args:
            network: in fp32, on the CPU.
            device: see :func:`choose_device`.
            precision: of weights and arithmetic.
            cpu_threads: threads that torch may use on the CPU; 0 leaves its choice.
        """
        if cpu_threads > 0:
            torch.set_num_threads(cpu_threads)
        self._device = device
        self._network = network.to(device=device, dtype=_DTYPES[precision]).eval()
        self._tiles: Tiles | None = None
        self._forward: Forward = self._network
        if device.type == "cuda":
            _attend_without_plans()
            graphs = CudaGraphs(network, device)
            self._tiles = Tiles(graphs.tile, positions=len(network.positions))
            return
        network.pack_for_cpu()
        if network.packed:
            self._forward = without_python(network)

    @property
    def device_name(self) -> str:
        """``cpu``, or the name that the CUDA device gives itself."""
        if self._device.type == "cuda":
            return torch.cuda.get_device_name(self._device)
        return "cpu"

    @property
    def max_padding_waste(self) -> float:
        """See ``seams.Encoder``: on the CPU padding takes part in attention alone, which is a
        small part of the work; a GPU computes all of it."""
        return 1.0 if self._network.packed else _CUDA_PADDING_WASTE

    def now_s(self) -> float:
        """See ``seams.Encoder.now_s``: on the CPU, processor time of the calling thread.

        A GPU is waited for, and runs one model at a time: there it is the wall's.
        """
        return _OWN_S() if self._device.type == "cpu" else time.perf_counter()

    @torch.inference_mode()
    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        """See ``seams.Encoder.encode``."""
        try:
            if self._tiles is not None:
                return self._tiles.scores(token_ids, lengths)
            return self._on_cpu(token_ids, lengths)
        except MemoryError as error:
            raise self._out_of_memory(token_ids) from error
        except RuntimeError as error:
            if _is_out_of_memory(error):
                raise self._out_of_memory(token_ids) from error
            if _is_device_lost(error):
                raise DeviceLostError(
                    f"{self._device} does not work any more in this process",
                    hint="it is safe to start again; nvidia-smi and the kernel's log say more",
                ) from error
            raise

    def _on_cpu(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        ids = torch.from_numpy(np.ascontiguousarray(token_ids))
        width = token_ids.shape[1]
        mask = places = None
        if int(lengths.min()) < width:
            real = np.arange(width) < np.asarray(lengths)[:, None]
            mask = torch.zeros(real.shape)
            mask.masked_fill_(~torch.from_numpy(real), torch.finfo(mask.dtype).min)
            mask = mask[:, None, None, :]
            if self._network.packed:
                places = torch.from_numpy(np.flatnonzero(real))
        return np.asarray(self._forward(ids, mask, places).numpy(), dtype=np.float32)

    def _out_of_memory(self, token_ids: TokenIds) -> DeviceOutOfMemoryError:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        rows, width = token_ids.shape
        return DeviceOutOfMemoryError(f"no memory on the device for {rows} rows of {width} tokens")

    def warm_up(self, sequence_length: int) -> None:
        """Run the shapes that have a first time once.

        On CUDA each width of a tile is recorded (``tiles.Tiles``): there are no others. On the
        CPU only the number of tokens has a first time (``network.padded_rows``), of a few
        milliseconds: those of single addresses are met here, larger ones under way.
        """
        longest = min(sequence_length, len(self._network.positions))
        if self._tiles is not None:
            widths = self._tiles.widths(longest)
        else:
            widths = sorted(
                {min(padded_rows(length), longest) for length in range(1, _SINGLE_TOKENS + 1)}
            )
        for width in widths:
            real = np.full(1, width, dtype=np.int64)
            self.encode(np.ones((1, width), dtype=np.int64), real)
            if width > 1 and self._tiles is None:
                # There padded batches take another kernel than full ones.
                self.encode(np.ones((1, width), dtype=np.int64), real - 1)


def _attend_without_plans() -> None:
    """Keep attention off cuDNN, in the whole process.

    PyTorch takes cuDNN for half precision on Hopper. cuDNN builds a plan for each new shape of a
    batch, in each thread, and lets go of none: a stream of addresses has a new shape in nearly
    every batch, and a warm-up in another thread spares none of it. On an H100 a batch of a base
    model took 53 ms where one of a known shape takes 2.4. The two other kernels have no plans.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def _is_out_of_memory(error: RuntimeError) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(
        sign in text
        for sign in ("can't allocate memory", "not enough memory", "alloc_failed", "out of memory")
    )


def _is_device_lost(error: RuntimeError) -> bool:
    # After an illegal access, an ECC error or a reset every further call in the context fails.
    accelerator_error = getattr(torch, "AcceleratorError", None)
    if accelerator_error is not None and isinstance(error, accelerator_error):
        return True
    return "CUDA error" in str(error)
