"""Villages, their groups, and communities.

Owns: village and community names, 组/队/社, natural villages. A group with a number after it
(5组12号) is one house number; a bare group is a component of its own.
"""

from __future__ import annotations

import random
from typing import Final

from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.numbers import hanzi, small
from consumer.starter.generator.pieces import Piece, Pieces, Weighted
from consumer.starter.generator.roads import road_name, road_number
from consumer.starter.generator.stock import GROUP_WORDS, SURNAMES

_GROUP: Final = Weighted(GROUP_WORDS)
_LANDSCAPE: Final = tuple(
    "湾塘坑坪坝岭坡沟冲垄岗墩埠桥浦港溪岙畈宅堂寨屯店铺庄营堡桥头山尖角窑窝梁峪圩荡"
)


def settlement_name(rng: random.Random, lexicon: Lexicon) -> str:
    """A natural village: 上塘, 李家湾, 大王庄."""
    draw = rng.random()
    if draw < 0.6:
        return rng.choice(lexicon.settlement)
    if draw < 0.8:
        return rng.choice(SURNAMES) + rng.choice(("家", "家", "")) + rng.choice(_LANDSCAPE)
    return (
        rng.choice("上下大小东西南北前后新老里外")
        + rng.choice(SURNAMES + _LANDSCAPE)
        + (rng.choice(_LANDSCAPE) if rng.random() < 0.4 else "")
    )


def village(rng: random.Random, lexicon: Lexicon) -> str:
    """An administrative village: 塘头村, 官庄村委会, now and then without 村."""
    draw = rng.random()
    if draw < 0.45:
        name = rng.choice(lexicon.village)
    elif draw < 0.55:
        return settlement_name(rng, lexicon)
    else:
        name = settlement_name(rng, lexicon) + "村"
    draw = rng.random()
    if draw < 0.02:
        return name + rng.choice(("委会", "民委员会"))
    return name


def community(rng: random.Random, lexicon: Lexicon, near: tuple[str, ...]) -> str:
    """An urban community: 翠苑社区."""
    draw = rng.random()
    if draw < 0.3:
        name = rng.choice(lexicon.settlement)
    elif draw < 0.45:
        name = rng.choice(lexicon.estate)
    elif draw < 0.55:
        name = rng.choice(lexicon.road)
    elif draw < 0.65 and near:
        name = rng.choice(near)
    elif draw < 0.75:
        name = rng.choice(lexicon.word) + rng.choice("东西南北新")
    elif draw < 0.85:
        name = rng.choice(lexicon.new_village)
    else:
        name = rng.choice(lexicon.word)
    draw = rng.random()
    if draw < 0.86:
        return name + "社区"
    if draw < 0.96:
        return name + rng.choice(("居委会", "社区居委会", "居委"))
    return name + "第" + hanzi(small(rng, 8)) + "社区"


def group(rng: random.Random) -> str:
    """A villagers' group: 5组, 三组, 第八村民小组, 二社."""
    number = str(small(rng, 20)) if rng.random() < 0.66 else hanzi(small(rng, 20))
    word = _GROUP(rng)
    if rng.random() < 0.08 and word in ("组", "村民小组", "小组", "队"):
        number = "第" + number
    return number + word


def group_number(rng: random.Random) -> str:
    """A house number counted in its group: 5组12号."""
    number = str(small(rng, 20)) if rng.random() < 0.75 else hanzi(small(rng, 15))
    return f"{number}组{small(rng, 90)}{rng.choice(('号', '号', '号', '号', ''))}"


def rural(rng: random.Random, lexicon: Lexicon, near: tuple[str, ...]) -> Pieces:
    """A village and what is inside it down to the door."""
    pieces = [Piece("community", village(rng, lexicon))]
    draw = rng.random()
    if draw < 0.16:
        pieces.append(Piece("village_group", group(rng)))
    elif draw < 0.27:
        pieces.append(Piece("roadno", group_number(rng)))
    elif draw < 0.42:
        pieces.append(Piece("roadno", road_number(rng)))
    elif draw < 0.54:
        pieces.append(Piece("community", natural_village(rng, lexicon)))
        if rng.random() < 0.55:
            pieces.append(Piece("roadno", road_number(rng)))
        elif rng.random() < 0.3:
            pieces.append(Piece("village_group", group(rng)))
    elif draw < 0.66:
        pieces.append(Piece("road", road_name(rng, lexicon, near)))
        if rng.random() < 0.8:
            pieces.append(Piece("roadno", road_number(rng)))
    elif draw < 0.70:
        pieces.append(Piece("village_group", group(rng)))
        pieces.append(Piece("community", natural_village(rng, lexicon)))
    return pieces


def natural_village(rng: random.Random, lexicon: Lexicon) -> str:
    """A natural village inside an administrative one, mostly bare."""
    name = settlement_name(rng, lexicon)
    return name + rng.choice(("", "", "", "村", "村", "自然村", "自然村", "庄", "屯"))
