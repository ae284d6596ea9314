"""Roads and the numbers along them.

Owns: named roads of every kind, sub-roads, house numbers on a road, highways. A province's or a
city's name inside a road's name (南京东路, 陕西北路) belongs to the road.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Final

from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.numbers import hanzi, letter, small, street_number
from consumer.starter.generator.pieces import Piece, Pieces, Weighted
from consumer.starter.generator.region import bare
from consumer.starter.generator.stock import DEGREES, NUMERALS, ROAD_KINDS, ROAD_STEMS

_KIND: Final = Weighted(ROAD_KINDS)
_STREET_NUMBER_WORDS: Final = Weighted((("号", 93.0), ("", 3.0), ("號", 0.3), ("号内", 0.0)))


@cache
def _stems(lexicon: Lexicon) -> tuple[str, ...]:
    return lexicon.own(ROAD_STEMS)


def road_name(rng: random.Random, lexicon: Lexicon, near: tuple[str, ...] = ()) -> str:
    """One road's name."""
    draw = rng.random()
    if draw < 0.24:
        return rng.choice(lexicon.road)
    if draw < 0.25:
        return rng.choice(lexicon.lane)
    if draw < 0.275:
        return _highway(rng)
    if draw < 0.287:
        which = rng.choice((str(small(rng, 30)), hanzi(small(rng, 12))))
        return which + rng.choice(("号路", "号路", "号大街", "号街", "号大道"))
    stem = _stem(rng, lexicon, near)
    kind = _KIND(rng)
    if kind in ("路", "街", "大道", "大街", "马路") and len(stem) <= 3:
        extra = rng.random()
        if extra < 0.20:
            stem += rng.choice(DEGREES)
        elif extra < 0.25:
            stem += rng.choice(NUMERALS[:6])
        elif extra < 0.27 and kind == "路":
            return f"{stem}{rng.choice(DEGREES)}{rng.choice(NUMERALS[:4])}路"
        elif extra < 0.28:
            return f"{stem}{kind}{rng.choice(DEGREES[:4])}段"
    return stem + kind


def _stem(rng: random.Random, lexicon: Lexicon, near: tuple[str, ...]) -> str:
    draw = rng.random()
    if draw < 0.34:
        return rng.choice(_stems(lexicon))
    if draw < 0.62:
        return rng.choice(lexicon.word)
    if draw < 0.68 and near:
        return rng.choice(near)[:3]
    if draw < 0.76:
        return bare(rng.choice(lexicon.towns))[:3]
    if draw < 0.84:
        return rng.choice(lexicon.settlement)[:3]
    if draw < 0.96:  # new roads are often one character of each of two names
        return rng.choice(lexicon.word)[0] + rng.choice(lexicon.word)[-1]
    if draw < 0.985:
        return ("经", "纬", "东", "西", "南", "北", "中")[int(rng.random() * 7)] + hanzi(
            small(rng, 20, 1.5)
        )
    return rng.choice(("一", "二", "三", "四", "五", "六", "七", "八", "十")) + rng.choice(
        ("纬", "经", "马", "环", "号", "横", "支")
    )


def _highway(rng: random.Random) -> str:
    draw = rng.random()
    number = small(rng, 330, 1.0)
    if draw < 0.45:
        return f"{number}国道"
    if draw < 0.6:
        return f"{number}省道"
    if draw < 0.72:
        return f"{rng.choice('GS')}{number}" + rng.choice(("国道", "省道", "线", ""))
    if draw < 0.8:
        return f"{rng.choice('XY')}{number}" + rng.choice(("县道", "乡道", ""))
    return rng.choice(
        (
            "机场路",
            "环城东路",
            "环城北路",
            "北三环",
            "东四环中路",
            "西二环",
            "南环路",
            "外环路",
            "老104国道",
            "新320国道",
            "中环路",
            "绕城公路",
            "沿海公路",
            "滨海大道",
            "北二环路",
            "东二环",
        )
    )


def road_number(rng: random.Random) -> str:
    """What follows a road: 12号, 12-3号, 甲5号, 12号附3号, sometimes without 号."""
    number = street_number(rng)
    draw = rng.random()
    if draw < 0.80:
        return number + _STREET_NUMBER_WORDS(rng)
    if draw < 0.87:
        return f"{number}-{small(rng, 30)}号"
    if draw < 0.89:
        return f"{number}号-{small(rng, 12)}"
    if draw < 0.905:
        return f"{number}-{small(rng, 20)}"
    if draw < 0.915:
        return f"{number}号附{small(rng, 20)}号"
    if draw < 0.925:
        return f"{rng.choice('甲乙丙')}{number}号"
    if draw < 0.935:
        return f"{number}号{rng.choice('甲乙丙')}"
    if draw < 0.945:
        return f"{number}之{rng.choice((hanzi(small(rng, 9)), str(small(rng, 9))))}号"
    if draw < 0.965:
        low = int(number)
        return f"{low}{rng.choice('-—~、－')}{low + 2 * small(rng, 8)}号"
    if draw < 0.975:
        return f"{number}{letter(rng, 'D')}号"
    if draw < 0.985:
        return f"{number}号{letter(rng, 'D')}"
    if draw < 0.99:
        return f"{hanzi(small(rng, 99))}号"
    return f"{number}#"


def lane_number(rng: random.Random) -> str:
    """A numbered lane along a road, with its own number on the road: 123弄."""
    return f"{street_number(rng)}弄"


def road(rng: random.Random, lexicon: Lexicon, near: tuple[str, ...]) -> Pieces:
    """A road alone, at times with a smaller one off it."""
    pieces = [Piece("road", road_name(rng, lexicon, near))]
    draw = rng.random()
    if draw < 0.02:
        pieces.append(
            Piece("road", f"{rng.choice((hanzi(small(rng, 20)), str(small(rng, 40))))}巷")
        )
    elif draw < 0.027:
        pieces.append(Piece("road", rng.choice((f"{rng.choice(NUMERALS)}支路", "支路", "支弄"))))
    elif draw < 0.033:
        pieces.append(Piece("road", road_name(rng, lexicon, near)))
    return pieces


def numbered_road(rng: random.Random, lexicon: Lexicon, near: tuple[str, ...]) -> Pieces:
    """A road and a number along it."""
    return [*road(rng, lexicon, near), Piece("roadno", road_number(rng))]
