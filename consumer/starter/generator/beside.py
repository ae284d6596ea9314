"""Where it is by what is near: assisting words, distances, crossings."""

from __future__ import annotations

import random
from typing import Final

from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.numbers import hanzi, small
from consumer.starter.generator.pieces import Piece, Pieces, Weighted
from consumer.starter.generator.roads import road_name
from consumer.starter.generator.stock import ASSISTS, CROSSINGS, DIRECTIONS

_ASSIST: Final = Weighted(ASSISTS)
_CROSSING: Final = Weighted(CROSSINGS)
_AND: Final = Weighted(
    (
        ("与", 46.0),
        ("和", 14.0),
        ("", 20.0),
        ("、", 3.0),
        ("-", 1.0),
        ("跟", 1.0),
        ("同", 1.0),
        (" ", 1.0),
    )
)


def assist(rng: random.Random) -> Piece:
    """旁边, 对面, 内 …"""
    return Piece("assist", _ASSIST(rng))


def distance(rng: random.Random) -> Piece:
    """向东200米, 往北50米处, 500米."""
    draw = rng.random()
    number = rng.choice(
        ("50", "100", "150", "200", "300", "500", "800", "1000", "20", "30", str(small(rng, 900)))
    )
    if draw < 0.1:
        number = rng.choice((hanzi(small(rng, 20)), "两百", "三百", "一百", "五十", "一千"))
    unit = rng.choice(("米", "米", "米", "米", "M", "m", "公里") if draw > 0.1 else ("米", "公里"))
    if unit == "公里":
        number = str(small(rng, 9)) if draw > 0.1 else hanzi(small(rng, 9))
    way = rng.random()
    where = rng.choice(DIRECTIONS)
    if way < 0.36:
        before = rng.choice(("向", "往")) + where
    elif way < 0.68:
        before = where
    elif way < 0.74:
        before = "约"
    elif way < 0.78:
        before = where + "约"
    elif way < 0.82:
        before = rng.choice(("前行", "直走", "进去", "往里", "往前", "前"))
    else:
        before = ""
    after = (
        rng.choice(("", "", "", "", "处", "处", "左右", "路"))
        if unit != "公里"
        else rng.choice(("", "处"))
    )
    return Piece("distance", before + number + unit + (after if after != "路" else ""))


def crossing(rng: random.Random, lexicon: Lexicon, near: tuple[str, ...]) -> Pieces:
    """Two roads and their meeting: 文一路与学院路交叉口."""
    pieces = [
        Piece("road", road_name(rng, lexicon, near)),
        Piece(None, _AND(rng)),
        Piece("road", road_name(rng, lexicon, near)),
        Piece("intersection", _CROSSING(rng)),
    ]
    draw = rng.random()
    if draw < 0.18:
        pieces.append(distance(rng))
    elif draw < 0.34:
        pieces.append(
            Piece(
                "assist",
                rng.choice(
                    (
                        "东南角",
                        "西北角",
                        "东北角",
                        "西南角",
                        "东侧",
                        "北侧",
                        "西",
                        "往南",
                        "东",
                        "南",
                        "北",
                        "附近",
                        "旁",
                    )
                ),
            )
        )
    return pieces


def beside(rng: random.Random) -> Pieces:
    """A word or a distance after a place or a road."""
    draw = rng.random()
    if draw < 0.8:
        return [assist(rng)]
    if draw < 0.94:
        return [distance(rng)]
    return [assist(rng), distance(rng)]
