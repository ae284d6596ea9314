"""Fresh training batches without end: addresses as token and label ids, of like length.

Owns batch formation. Every address is made once and never seen again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import torch
from torch import Tensor

from consumer.parser.tokenizer import AddressTokenizer
from consumer.starter.generator.addresses import addresses
from consumer.starter.tags import tag_ids

IGNORED: Final = -100
"""Label of positions that no loss is taken of: special tokens and padding."""

_POOL: Final = 64
"""Batches made at a time: sorting by length within them leaves little padding."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Three tensors of shape (batch, length), int64."""

    token_ids: Tensor
    mask: Tensor
    labels: Tensor


def batches(
    tokenizer: AddressTokenizer, *, seed: int, release: int, size: int, max_tokens: int
) -> Iterator[Batch]:
    """An endless stream of batches of the training split; the same seed gives the same."""
    stream = addresses(seed, "train", release)
    rng = random.Random(seed)
    special = tokenizer.special
    while True:
        pool = list(islice(stream, _POOL * size))
        rows = []
        for made, (ids, offsets) in zip(
            pool, tokenizer.encode([address.text for address in pool]), strict=True
        ):
            tags = tag_ids(made.parts, offsets)
            keep = max_tokens - 2
            rows.append(
                (
                    [special.first, *ids[:keep], special.last],
                    [IGNORED, *tags[:keep], IGNORED],
                )
            )
        rows.sort(key=lambda row: len(row[0]))
        groups = [rows[at : at + size] for at in range(0, len(rows), size)]
        rng.shuffle(groups)
        for group in groups:
            yield _padded(group, special.pad)


def _padded(rows: list[tuple[list[int], list[int]]], pad: int) -> Batch:
    length = max(len(ids) for ids, _ in rows)
    token_ids = torch.full((len(rows), length), pad)
    labels = torch.full((len(rows), length), IGNORED)
    for index, (ids, tags) in enumerate(rows):
        token_ids[index, : len(ids)] = torch.tensor(ids)
        labels[index, : len(tags)] = torch.tensor(tags)
    return Batch(token_ids, (token_ids != pad).long(), labels)
