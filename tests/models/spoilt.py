"""Real models of which the candidate goes wrong: its own tokenizer and decoder, a spoilt network.

In the way of production: what the candidate costs in memory and time is real until it goes wrong.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consumer.parser.seams import (
    AddressModel,
    DeviceLostError,
    Encoder,
    Interpretation,
    PreparedAddress,
    Scores,
    TokenIds,
)
from consumer.service.memory import Free
from consumer.settings import WorkerSettings
from consumer.store import open_store
from consumer.store.first_spec import spec_of
from consumer.stream.residency import ModelLoader
from contracts.spec import ModelSpec
from tests.models.instant import KILLER_TEXT
from tests.models.misbehaving import WAYS

STABLE: Final = "mgeo-starter-v1-20260915"
CANDIDATE: Final = "mgeo-starter-v2-20261015"

DEADLY: Final = ("dies", "breaks", "hangs")
"""Ways that take the process along, at one text."""

SPOILT_WAYS: Final = (*DEADLY, *WAYS, "garbage")


@lru_cache(maxsize=4)
def starter(version: str) -> ModelSpec:
    """The spec of a release that comes with the project, on the CPU."""
    settings = WorkerSettings(device="cpu", version=version)
    return spec_of(open_store(settings), version, settings)


class SpoiltEncoder:
    """The network of a model that goes wrong in one way, and is itself otherwise."""

    def __init__(self, model: AddressModel, way: str) -> None:
        self._real: Encoder = model.encoder
        self._way = way
        (window,) = model.prepare([KILLER_TEXT])[0].windows
        self._killer = window.token_ids[1:-1].tolist()
        self._random = np.random.default_rng(7)

    @property
    def device_name(self) -> str:
        """As the real one says."""
        return self._real.device_name

    @property
    def max_padding_waste(self) -> float:
        """As the real one says."""
        return self._real.max_padding_waste

    def now_s(self) -> float:
        """As the real one counts."""
        return self._real.now_s()

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        """Go wrong, or as the real one does."""
        if self._way in WAYS:
            return WAYS[self._way][0](token_ids)
        if self._way in DEADLY and self._spells_killer(token_ids):
            if self._way == "dies":
                os._exit(9)
            if self._way == "breaks":
                raise DeviceLostError("an illegal memory access")
            time.sleep(3600)
        scores = self._real.encode(token_ids, lengths)
        if self._way == "garbage":
            return self._random.normal(size=scores.shape).astype(np.float32)
        return scores

    def warm_up(self, sequence_length: int) -> None:
        """As the real one does."""
        self._real.warm_up(sequence_length)

    def _spells_killer(self, token_ids: TokenIds) -> bool:
        return any(row[1 : len(self._killer) + 1].tolist() == self._killer for row in token_ids)


class SpoiltModel:
    """A loaded model with such a network."""

    def __init__(self, model: AddressModel, way: str) -> None:
        self._model = model
        self.spec = model.spec
        self.encoder: Encoder = SpoiltEncoder(model, way)

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        """As the real one does."""
        return self._model.prepare(texts)

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        """As the real one does, of whatever scores came."""
        return self._model.interpret(prepared, scores)


def starters(settings: WorkerSettings, way: str) -> ModelLoader:
    """Loads the two releases, the second one spoilt; ``too_big``: without memory for it."""
    from consumer.service.loading import model_loader  # torch

    real = model_loader(settings)
    crowded = model_loader(settings, free_memory=lambda: Free(host=1))

    def load(spec: ModelSpec) -> AddressModel:
        if spec.version != CANDIDATE:
            return real(spec)
        return crowded(spec) if way == "too_big" else SpoiltModel(real(spec), way)

    return load
