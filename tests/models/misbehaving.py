"""Candidates that go wrong in every way that Python can see."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consumer.parser.seams import DeviceLostError, DeviceOutOfMemoryError, Scores, TokenIds
from contracts.spec import ModelSpec
from tests.models import instant


def _raises(token_ids: TokenIds) -> Scores:
    raise RuntimeError(f"a candidate that raises, here at {token_ids.size} tokens")


def _out_of_memory(token_ids: TokenIds) -> Scores:
    raise DeviceOutOfMemoryError(f"no memory for {token_ids.size} tokens")


def _host_out_of_memory(token_ids: TokenIds) -> Scores:
    raise MemoryError(token_ids.size)


def _not_numbers(token_ids: TokenIds) -> Scores:
    return np.full((*token_ids.shape, 2), np.nan, dtype=np.float32)


def _too_few_rows(token_ids: TokenIds) -> Scores:
    return np.zeros((0, token_ids.shape[1], 2), dtype=np.float32)


def _flat(token_ids: TokenIds) -> Scores:
    return np.zeros(token_ids.shape, dtype=np.float32)


def _nothing(token_ids: TokenIds) -> Scores:
    del token_ids
    return None  # type: ignore[return-value]  # that is what is wrong with it


WAYS: Final[dict[str, tuple[Callable[[TokenIds], Scores], str]]] = {
    "raises": (_raises, "model_error"),
    "device_out_of_memory": (_out_of_memory, "device_out_of_memory"),
    "host_out_of_memory": (_host_out_of_memory, "device_out_of_memory"),
    "not_numbers": (_not_numbers, "model_error"),
    "too_few_rows": (_too_few_rows, "model_error"),
    "flat": (_flat, "model_error"),
    "nothing": (_nothing, "model_error"),
}
"""What the encoder does, and the code that each address gets for it."""


class MisbehavingEncoder(instant.InstantEncoder):
    """Goes wrong with every batch, in one way."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self._act, self.code = WAYS[way]

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        self.batches.append((len(lengths), int(token_ids.shape[1])))
        return self._act(token_ids)


def misbehaving(spec: ModelSpec, way: str) -> instant.InstantModel:
    """A model with such an encoder."""
    return instant.InstantModel(spec, MisbehavingEncoder(way))


class DeadlyEncoder(instant.InstantEncoder):
    """Ends the process at the killing text, as a fault in native code would."""

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        if instant.spells_killer(token_ids):
            os._exit(9)
        return super().encode(token_ids, lengths)


class DeviceBreaker(instant.InstantEncoder):
    """Breaks the device at the killing text: every call after it would fail."""

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        if instant.spells_killer(token_ids):
            raise DeviceLostError("an illegal memory access")
        return super().encode(token_ids, lengths)


class HangingEncoder(instant.InstantEncoder):
    """Never comes back from the killing text."""

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        if instant.spells_killer(token_ids):
            time.sleep(3600)
        return super().encode(token_ids, lengths)
