"""Heads that came with the second month's data: those that are easily misread.

青岛市南区 is 青岛 and 市南区; 东莞长安 a city and a town; 济源市 stands under its province alone.
"""

from __future__ import annotations

import random
from functools import cache

from consumer.starter.generator.lexicon import Lexicon, Place
from consumer.starter.generator.pieces import Piece, Pieces
from consumer.starter.generator.region import SHORT_PROVINCES, Head, bare, town_form


@cache
def _market_districts(lexicon: Lexicon) -> tuple[tuple[str, str, str], ...]:
    """(province, city, district) of the districts whose name begins with 市."""
    return tuple(
        (province.name, city.name, district.name)
        for province in lexicon.provinces.values()
        for city in province.children
        for district in city.children
        if district.name.startswith("市")
    )


@cache
def _alone(lexicon: Lexicon) -> tuple[tuple[str, Place], ...]:
    """Units right below a province: cities without districts, and county-level ones."""
    return tuple(
        (province.name, unit)
        for province in lexicon.provinces.values()
        for unit in province.children
        if not unit.children and not province.name.endswith(("市", "特别行政区")) and unit.towns
    )


def _short(name: str) -> str:
    return SHORT_PROVINCES.get(name, bare(name))


def unusual_head(rng: random.Random, lexicon: Lexicon) -> Head:
    """One of them."""
    if rng.random() < 0.4:
        province, city, district = rng.choice(_market_districts(lexicon))
        pieces: Pieces = []
        if rng.random() < 0.6:
            pieces.append(Piece("prov", province if rng.random() < 0.5 else _short(province)))
        pieces.append(Piece("city", city if rng.random() < 0.4 else bare(city)))
        pieces.append(Piece("district", district))
        return Head(pieces, (bare(city),))
    province, unit = rng.choice(_alone(lexicon))
    kind = unit.level
    pieces = []
    if rng.random() < 0.6:
        pieces.append(Piece("prov", province if rng.random() < 0.6 else _short(province)))
    pieces.append(Piece(kind, unit.name if rng.random() < 0.75 else bare(unit.name)))
    town = rng.choice(unit.towns)
    if rng.random() < 0.75:
        pieces.append(Piece("town", town_form(rng, town) if rng.random() < 0.7 else bare(town)))
    return Head(pieces, (bare(unit.name), bare(town)))
