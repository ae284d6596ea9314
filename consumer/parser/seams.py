"""The seam between the engine and a model: what goes in, what comes out.

The engine knows these types alone; it never imports torch, transformers or tokenizers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.errors import FatalError, MgeoError
from contracts.events import Component
from contracts.spec import ModelSpec

TokenIds = NDArray[np.int64]
Scores = NDArray[np.float32]


class DeviceOutOfMemoryError(MgeoError):
    """The device had no memory for this batch; a smaller one may fit."""

    default_code = "device_out_of_memory"


class DeviceLostError(FatalError):
    """The device, or its context in this process, is broken: every further call would fail.

    Were it taken for a fault of the rows, a broken device would turn a whole stream into
    error results.
    """

    default_code = "device_lost"


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One token sequence that goes through the model.

    Attributes:
        token_ids: shape (tokens,), int64, with the special tokens at both ends.
        offsets: shape (tokens - 2, 2), int64: half-open code-point offsets into the raw
            text of each token between the special ones.
        first: the first token (counted without the special ones) whose scores count.
        last: one past the last such token. Overlapping windows of one address share tokens;
            each token counts in exactly one window.
    """

    token_ids: TokenIds
    offsets: NDArray[np.int64]
    first: int
    last: int

    @property
    def length(self) -> int:
        """Tokens, special ones included."""
        return len(self.token_ids)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedAddress:
    """One address ready for the model: one window, or several for a long text."""

    text: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What the model and the gazetteer made of one address; fields as in AddressResult."""

    components: tuple[Component, ...]
    address: dict[str, str]
    inferred: tuple[str, ...]
    adcode: str | None
    issues: tuple[str, ...]
    confidence: float


class Encoder(Protocol):
    """The neural network on one device. Called from one thread at a time."""

    @property
    def device_name(self) -> str:
        """For people: ``cpu``, ``NVIDIA H200`` …"""
        ...

    @property
    def max_padding_waste(self) -> float:
        """Which share of a batch may be padding, in [0, 1]: 1 where padding costs next to nothing,
        and two batches more than one."""
        ...

    def now_s(self) -> float:
        """The clock, in seconds, by which the time of ``encode`` is taken, from its own thread.

        It counts what the model takes of its device, and not, where that can be told apart,
        what others on the machine take from it meanwhile.
        """
        ...

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        """Tag scores (logits) of one padded batch.

        Args:
            token_ids: shape (batch, max_len), padded with 0 (``[PAD]``).
            lengths: shape (batch,), the real tokens of each row, special ones included.

        Returns:
            shape (batch, max_len, labels), float32, on the host; rows beyond a length are
            undefined.

        Raises:
            DeviceOutOfMemoryError: the batch does not fit; nothing is broken.
            DeviceLostError: nothing will work any more in this process.
        """
        ...

    def warm_up(self, sequence_length: int) -> None:
        """Run every shape of the grid once, so that no request pays for a first time."""
        ...


class AddressModel(Protocol):
    """One loaded model: everything between raw text and components.

    ``prepare`` and ``interpret`` are thread-safe and touch no device.
    """

    @property
    def spec(self) -> ModelSpec:
        """What identifies this model in results."""
        ...

    @property
    def encoder(self) -> Encoder:
        """The network."""
        ...

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        """Normalise, tokenize and window; any text is accepted, none is truncated."""
        ...

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        """Decode tag scores into components and complete them.

        Args:
            prepared: the addresses.
            scores: for each address, for each of its windows, shape (tokens, labels) with
                the rows of the special tokens still in it.
        """
        ...
