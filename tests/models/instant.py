"""A model that answers at once: for tests of the engine, which knows a model only by its seam."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from consumer.parser.seams import Interpretation, PreparedAddress, Scores, TokenIds, Window
from contracts.control import RolloutState, first_state
from contracts.events import Component
from contracts.spec import ModelSpec

KILLER_TEXT = "这一条会杀死进程"
BROKEN_TEXT = "这一条让模型出错"


def spec(version: str = "mgeo-instant-v1-20260101") -> ModelSpec:
    return ModelSpec(
        version=version, digest="sha256:" + "1" * 64, precision="fp32", fingerprint="2" * 16
    )


def state(model: ModelSpec | None = None) -> RolloutState:
    return first_state(model or spec(), incarnation="test", updated_at="2026-01-01T00:00:00Z")


class InstantEncoder:
    """Two labels; as slow as it is told to be; dies and fails on demand."""

    device_name = "instant"
    max_padding_waste = 0.1

    def __init__(
        self,
        seconds_per_token: float = 0.0,
        before: Callable[[TokenIds], None] | None = None,
        *,
        immune: bool = False,
    ) -> None:
        self._immune = immune
        self._seconds_per_token = seconds_per_token
        self._before = before
        self.batches: list[tuple[int, int]] = []
        self.warmed = False

    def now_s(self) -> float:
        return time.monotonic()

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        self.batches.append((len(lengths), int(token_ids.shape[1])))
        if self._before is not None:
            self._before(token_ids)
        if not self._immune and spells_killer(token_ids):
            os._exit(9)
        if any(_spells(row, BROKEN_TEXT) for row in token_ids):
            raise RuntimeError("broken on purpose")
        if self._seconds_per_token:
            time.sleep(self._seconds_per_token * token_ids.size)
        return np.zeros((*token_ids.shape, 2), dtype=np.float32)

    def warm_up(self, sequence_length: int) -> None:
        self.warmed = True


def spells_killer(token_ids: TokenIds) -> bool:
    """True when a row of this padded batch is the text that ends the process."""
    return any(_spells(row, KILLER_TEXT) for row in token_ids)


def _spells(row: TokenIds, text: str) -> bool:
    return row[1 : len(text) + 1].tolist() == [ord(character) for character in text]


class InstantModel:
    """One token per character; the whole text is one poi."""

    def __init__(self, model: ModelSpec | None = None, encoder: InstantEncoder | None = None):
        self.spec = model or spec()
        self.encoder = encoder or InstantEncoder()

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        return [PreparedAddress(text, (self._window(text),)) for text in texts]

    @staticmethod
    def _window(text: str) -> Window:
        ids = np.array([1, *map(ord, text), 2], dtype=np.int64)
        starts = np.arange(len(text), dtype=np.int64)
        return Window(ids, np.stack([starts, starts + 1], axis=1), 0, len(text))

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        return [self._interpretation(one.text) for one in prepared]

    @staticmethod
    def _interpretation(text: str) -> Interpretation:
        whole = Component(type="poi", text=text, start=0, end=len(text), confidence=1.0)
        return Interpretation((whole,), {"poi": text}, (), None, (), 1.0)
