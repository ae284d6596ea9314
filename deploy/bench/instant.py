"""A model that answers at once: what is left is the engine and the broker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consumer.parser.seams import Interpretation, PreparedAddress, Scores, TokenIds, Window
from contracts.events import Component
from contracts.spec import ModelSpec

INSTANT_SPEC: Final = ModelSpec(
    version="mgeo-instant-v1-20260101",
    digest="sha256:" + "0" * 64,
    precision="fp32",
    fingerprint="0" * 16,
)


class InstantEncoder:
    """No arithmetic at all."""

    device_name = "none"
    max_padding_waste = 0.1

    def now_s(self) -> float:
        """The wall's; see ``seams.Encoder.now_s``."""
        return time.monotonic()

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        """Zeros; see ``seams.Encoder.encode``."""
        del lengths
        return np.zeros((*token_ids.shape, 1), dtype=np.float32)

    def warm_up(self, sequence_length: int) -> None:
        """Nothing to warm."""


class InstantModel:
    """One token per character; every address is one poi."""

    def __init__(self) -> None:
        self.spec = INSTANT_SPEC
        self.encoder = InstantEncoder()

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        """See ``seams.AddressModel.prepare``."""
        return [PreparedAddress(text, (_window(text),)) for text in texts]

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        """See ``seams.AddressModel.interpret``."""
        del scores
        return [_interpretation(one.text) for one in prepared]


def _window(text: str) -> Window:
    starts = np.arange(len(text), dtype=np.int64)
    ids = np.ones(len(text) + 2, dtype=np.int64)
    return Window(ids, np.stack([starts, starts + 1], axis=1), 0, len(text))


def _interpretation(text: str) -> Interpretation:
    whole = Component(type="poi", text=text, start=0, end=len(text), confidence=1.0)
    return Interpretation((whole,), {"poi": text}, (), None, (), 1.0)
