"""Endless labelled addresses from a seed.

Owns how head, body and clutter become one address. The same seed, split and release give the
same addresses on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Final

from consumer.starter.generator.clutter import distorted, separated, surrounded
from consumer.starter.generator.layout import Family
from consumer.starter.generator.lexicon import Lexicon, Split, lexicon
from consumer.starter.generator.overseas import by_quarter, overseas
from consumer.starter.generator.pieces import Labelled, Pieces, Weighted, assemble
from consumer.starter.generator.region import head
from consumer.starter.generator.region_more import unusual_head
from consumer.starter.generator.templates import FAMILIES

LATEST_RELEASE: Final = 2

# Share of addresses that leave the region out altogether: within a town everybody knows it.
_WITHOUT_HEAD: Final = {1: 0.0, 2: 0.13}
# Share of heads that are easily misread.
_UNUSUAL_HEAD: Final = {1: 0.0, 2: 0.04}


def families(split: Split, release: int) -> tuple[Family, ...]:
    """The layouts of a split: held-out addresses also have those that are never fitted."""
    return tuple(
        family
        for family in FAMILIES
        if family.since <= release and (split == "held_out" or not family.held_out)
    )


def addresses(seed: int, split: Split, release: int = LATEST_RELEASE) -> Iterator[Labelled]:
    """An endless stream.

    Args:
        seed: any integer.
        split: ``train``, or ``held_out`` for names and layouts that are never fitted.
        release: 1 or 2; the second has layouts that the first lacks.
    """
    rng = random.Random(f"{seed}/{split}/{release}")
    names = lexicon(split)
    family = Weighted((family, family.weight) for family in families(split, release))
    while True:
        labelled = assemble(_address(rng, names, family, release))
        if labelled.parts:
            yield labelled


def take(count: int, seed: int, split: Split, release: int = LATEST_RELEASE) -> list[Labelled]:
    """The first ``count`` of ``addresses``."""
    return list(islice(addresses(seed, split, release), count))


def _address(rng: random.Random, names: Lexicon, family: Weighted[Family], release: int) -> Pieces:
    # A chance of nothing draws no number: the first release's stream stays as it was.
    unusual, without_head = _UNUSUAL_HEAD[release], _WITHOUT_HEAD[release]
    if rng.random() < 0.025:
        by_old_parts = unusual and rng.random() < 4 * unusual
        pieces = (by_quarter if by_old_parts else overseas)(rng, names)
    else:
        make_head = unusual_head if unusual and rng.random() < unusual else head
        first = make_head(rng, names)
        body = family(rng).make(rng, names, first.near)
        region = first.pieces
        if without_head and rng.random() < without_head:
            # A town may still be there: the district is what goes without saying.
            region = [piece for piece in region[-1:] if piece.type == "town"]
        elif region and rng.random() < 0.025:
            # Forms that fill in the region, and people who type it again.
            region = region + (region if rng.random() < 0.7 else region[-2:])
        pieces = [*region, *body]
    return distorted(rng, surrounded(rng, separated(rng, pieces)))
