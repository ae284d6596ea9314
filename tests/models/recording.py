"""A real model whose device batches are written down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from consumer.parser.seams import (
    AddressModel,
    Encoder,
    Interpretation,
    PreparedAddress,
    Scores,
    TokenIds,
)


class RecordingEncoder:
    """Passes everything on and keeps the shape (rows, padded tokens) of every batch."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.batches: list[tuple[int, int]] = []

    @property
    def device_name(self) -> str:
        return self._encoder.device_name

    @property
    def max_padding_waste(self) -> float:
        return self._encoder.max_padding_waste

    def now_s(self) -> float:
        return self._encoder.now_s()

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        self.batches.append((len(lengths), int(token_ids.shape[1])))
        return self._encoder.encode(token_ids, lengths)

    def warm_up(self, sequence_length: int) -> None:
        self._encoder.warm_up(sequence_length)


class RecordedModel:
    """The model, with the encoder above."""

    def __init__(self, model: AddressModel) -> None:
        self._model = model
        self.spec = model.spec
        self.encoder = RecordingEncoder(model.encoder)

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        return self._model.prepare(texts)

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        return self._model.interpret(prepared, scores)
