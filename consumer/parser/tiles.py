"""The network on a CUDA device: tiles of one size, recorded once as CUDA graphs and replayed.

Invariant: what becomes of a row depends on that row alone, to the bit, and not on its company in
the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from consumer.parser.network import TaggingNetwork
from consumer.parser.seams import Scores, TokenIds

TILE_TOKENS: Final = 1024
"""Rows of every product, whatever the batch. cuBLAS chooses a kernel by that number, and two
kernels round differently: with one number there is one kernel."""

_ONE_RECORDS = Lock()
"""Two models are recorded one after the other: some of CUDA's calls are the whole process's."""

_WIDTH_STEP: Final = 8
"""Tensor cores want multiples of 8, and the fewer widths there are, the fewer recordings."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Something that computes the scores of so many rows of one width.

    Attributes:
        run: reads ``inputs``, writes ``scores``, returns when they are there.
        inputs: shape (rows, width + 1), int32: token ids, and last the number of real ones.
        scores: shape (rows, width, labels), float32.
    """

    run: Callable[[], None]
    inputs: NDArray[np.int32]
    scores: NDArray[np.float32]


class Tiles:
    """A forward pass in tiles of as many rows as ``TILE_TOKENS`` has room for.

    Several threads may call it; they take turns.
    """

    def __init__(self, make: Callable[[int, int], Tile], *, positions: int) -> None:
        """Nothing is made yet.

        Args:
            make: a tile of so many rows and such a width; all of them may share their memory.
            positions: most tokens of a row that the network knows.
        """
        self._make = make
        self._positions = positions
        self._tiles: dict[int, Tile] = {}
        self._lock = Lock()

    def widths(self, longest: int) -> list[int]:
        """Those of all tiles for rows of up to ``longest`` tokens, ascending."""
        return sorted({self._width(tokens) for tokens in range(1, longest + 1)})

    def scores(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        """See ``seams.Encoder.encode``; errors as torch raises them."""
        count, longest = token_ids.shape
        with self._lock:
            tile = self._tile(self._width(longest))
            rows = len(tile.inputs)
            found = np.empty((count, longest, tile.scores.shape[-1]), dtype=np.float32)
            for start in range(0, count, rows):
                end = min(start + rows, count)
                tile.inputs[:] = 0
                tile.inputs[: end - start, :longest] = token_ids[start:end]
                tile.inputs[: end - start, -1] = lengths[start:end]
                tile.run()
                found[start:end] = tile.scores[: end - start, :longest]
        return found

    def _width(self, tokens: int) -> int:
        width = -(-tokens // _WIDTH_STEP) * _WIDTH_STEP
        return width if width <= self._positions else tokens

    def _tile(self, width: int) -> Tile:
        found = self._tiles.get(width)
        if found is None:
            rows = max(1, TILE_TOKENS // width)
            found = self._tiles[width] = self._make(rows, width)
        return found


class CudaGraphs:
    """Makes tiles of a network that is on a CUDA device.

    A pass is some 200 kernels of a few microseconds. Launched one by one they take longer than
    they run, and after each the thread waits for the interpreter's lock. A recording is one
    launch, from the host's memory to the host's memory, and the lock is waited for twice.
    """

    def __init__(self, network: TaggingNetwork, device: torch.device) -> None:
        """Take over a network in its final precision; from now on it multiplies whole tiles."""
        network.product_rows = TILE_TOKENS
        self._network = network
        self._device = device
        # One stream and one pool for all: each stream has a workspace of cuBLAS (32 MiB), and
        # recordings that are never replayed at the same time can have the same memory.
        self._stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        longest = max(TILE_TOKENS, len(network.positions))
        self._labels = len(network.classifier.bias)
        self._inputs = torch.zeros(2 * longest, dtype=torch.int32, pin_memory=True)
        self._scores = torch.zeros(longest * self._labels, pin_memory=True)

    def tile(self, rows: int, width: int) -> Tile:
        """Record one; errors as torch raises them."""
        inputs = self._inputs[: rows * (width + 1)].view(rows, width + 1)
        scores = self._scores[: rows * width * self._labels].view(rows, width, self._labels)
        inputs.zero_()  # numbers of another width are no token ids here
        graph = torch.cuda.CUDAGraph()
        with _ONE_RECORDS, torch.inference_mode(), torch.cuda.device(self._device):
            # What has a first time (handles, workspaces, kernels to load) cannot be recorded.
            with torch.cuda.stream(self._stream):
                run_tile(self._network, inputs, scores)
            self._stream.synchronize()
            # thread_local: meanwhile another thread may serve another model on this device.
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                run_tile(self._network, inputs, scores)

        def replay() -> None:
            graph.replay()
            torch.cuda.current_stream(self._device).synchronize()

        return Tile(replay, inputs.numpy(), scores.numpy())


def run_tile(network: TaggingNetwork, inputs: Tensor, scores: Tensor) -> None:
    """Read a tile's inputs from the host, and write its scores to the host; see :class:`Tile`."""
    device, dtype = network.words.device, network.words.dtype
    given = inputs.to(device, non_blocking=True)
    token_ids, lengths = given[:, :-1], given[:, -1:]
    padding = torch.arange(token_ids.shape[1], device=device) >= lengths
    # Also where nothing is padded: attention without a mask would be another kernel.
    mask = torch.zeros(padding.shape, dtype=dtype, device=device)
    mask.masked_fill_(padding, torch.finfo(dtype).min)
    found = network(token_ids, mask[:, None, None, :])
    scores.copy_(found.float(), non_blocking=True)
