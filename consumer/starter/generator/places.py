"""Names of places with a sign on the door: companies, estates, schools, shops, zones.

Owns how such names are composed of stems. A phase (一期) belongs to the place's name; a gate, a
block or a shop inside is a place of its own (``inside``).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Final

from consumer.starter.generator import stock
from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.numbers import hanzi, letter, small
from consumer.starter.generator.pieces import Weighted
from consumer.starter.generator.region import bare

Near = tuple[str, ...]

_COMPANY: Final = Weighted(stock.COMPANY_SUFFIXES)
_ZONE: Final = Weighted(stock.ZONES)
_INDUSTRIAL: Final = Weighted(stock.INDUSTRIAL_ESTATES)


@cache
def _own(lexicon: Lexicon, kind: str) -> tuple[str, ...]:
    return lexicon.own(getattr(stock, kind))


def person(rng: random.Random) -> str:
    """A person's name."""
    given = rng.choice(stock.GIVEN) + (rng.choice(stock.GIVEN) if rng.random() < 0.6 else "")
    return rng.choice(stock.SURNAMES) + given


def lucky(rng: random.Random) -> str:
    """A trade name of auspicious characters: 鑫隆, 华信达."""
    length = 2 if rng.random() < 0.72 else 3
    return "".join(rng.choice(stock.LUCKY) for _ in range(length))


def stem(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """What a place is named by."""
    draw = rng.random()
    if draw < 0.34:
        return rng.choice(lexicon.word)
    if draw < 0.56:
        return lucky(rng)
    if draw < 0.66 and near:
        return rng.choice(near)
    if draw < 0.74:
        return rng.choice(lexicon.settlement)
    if draw < 0.80:
        return bare(rng.choice(lexicon.towns))
    if draw < 0.85:
        return rng.choice(_own(lexicon, "ROAD_STEMS"))
    if draw < 0.93:
        return rng.choice(lexicon.word) + rng.choice(lexicon.word)
    if draw < 0.96:
        return rng.choice(stock.SURNAMES) + rng.choice(
            ("氏", "记", "家", "府", "老大", "姐", "哥", "师傅")
        )
    if draw < 0.98:
        return person(rng)
    return rng.choice(stock.LATIN)


def _placed(rng: random.Random, near: Near, chance: float) -> str:
    """A place's name in front, as names of firms and offices have it."""
    if not near or rng.random() >= chance:
        return ""
    name = rng.choice(near)
    return name + (rng.choice(("市", "县", "区", "省")) if rng.random() < 0.15 else "")


def company(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A firm's name, from 杭州鑫隆服饰有限公司 down to 鑫隆服饰."""
    first = _placed(rng, near, 0.5)
    name = stem(rng, lexicon, near) if rng.random() < 0.6 else lucky(rng)
    trade = rng.choice(stock.INDUSTRIES)
    draw = rng.random()
    if draw < 0.10:
        return first + name + trade
    if draw < 0.13:
        return f"{name}{trade}({rng.choice(near) if near else '中国'}){_COMPANY(rng)}"
    if draw < 0.16:
        return f"{first}{name}{trade}有限公司{rng.choice(near) if near else ''}分公司"
    if draw < 0.20:
        return (
            first
            + name
            + rng.choice(("集团", "公司", "实业", "国际", "控股", "传媒", "物流", "快递"))
        )
    return first + name + trade + _COMPANY(rng)


def factory(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A works."""
    if rng.random() < 0.12:
        return rng.choice(lexicon.works)
    first = _placed(rng, near, 0.3)
    return first + stem(rng, lexicon, near) + rng.choice(stock.FACTORIES)


def _phase(rng: random.Random) -> str:
    return f"{rng.choice((hanzi(small(rng, 5)), hanzi(small(rng, 4)), str(small(rng, 4))))}期"


def estate(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """Where people live: 绿景花园, 万科城一期, 翠苑四区."""
    draw = rng.random()
    if draw < 0.34:
        name = rng.choice(lexicon.estate)
    elif draw < 0.41:
        name = rng.choice(lexicon.new_village)
    elif draw < 0.43:
        name = rng.choice(lexicon.lane)
    elif draw < 0.49:
        name = stem(rng, lexicon, near)  # 金地自在城 is as often only 自在城, 檀宫, 半山
    elif draw < 0.57:
        name = rng.choice(stock.DEVELOPERS) + "·" * (rng.random() < 0.3)
        name += rng.choice(lexicon.word) if rng.random() < 0.6 else rng.choice(lexicon.estate)
        if rng.random() < 0.5:
            name += rng.choice(stock.ESTATES)
    elif draw < 0.60:
        name = stem(rng, lexicon, near) + "·" * (rng.random() < 0.5) + rng.choice(lexicon.word)
        name += rng.choice(stock.ESTATES)
    else:
        name = stem(rng, lexicon, near) + rng.choice(stock.ESTATES)
    draw = rng.random()
    if draw < 0.07:
        name += _phase(rng)
    elif draw < 0.115:
        name += rng.choice(stock.NUMERALS) + rng.choice(("区", "村", "里", "坊", "苑"))
    return name


def building(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A named building."""
    return stem(rng, lexicon, near) + rng.choice(stock.BUILDINGS)


def shop(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A shop, chain or not, with or without its branch in brackets."""
    draw = rng.random()
    if draw < 0.3:
        name = rng.choice(_own(lexicon, "BRANDS"))
    elif draw < 0.36:
        name = rng.choice(stock.LATIN) + rng.choice(stock.SHOPS)
    else:
        name = stem(rng, lexicon, near) + rng.choice(stock.SHOPS)
    branch = rng.random()
    if branch < 0.05:
        name += f"({stem(rng, lexicon, near)}店)"
    elif branch < 0.13:
        name += stem(rng, lexicon, near) + rng.choice(("店", "店", "分店", "专卖店", "总店"))
    elif branch < 0.14:
        name += rng.choice(("专柜", "总部", "旗舰店", "门店", "总店"))
    return name


def market(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A market or a mall of many stalls."""
    return stem(rng, lexicon, near) + rng.choice(stock.MARKETS)


def school(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A school or university."""
    draw = rng.random()
    if draw < 0.12:
        return rng.choice(lexicon.campus)
    if draw < 0.34:
        return stem(rng, lexicon, near) + rng.choice(stock.UNIVERSITIES)
    if draw < 0.48:
        first = _placed(rng, near, 0.8)
        return f"{first}第{hanzi(small(rng, 20))}{rng.choice(('中学', '小学', '初级中学', '高级中学', '幼儿园', '职业中学'))}"
    if draw < 0.54 and near:
        return f"{rng.choice(near)}{hanzi(small(rng, 12))}{rng.choice(('中', '小', '高', '幼'))}"
    return stem(rng, lexicon, near) + rng.choice(stock.SCHOOLS)


def clinic(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A place of care."""
    first = _placed(rng, near, 0.75) or stem(rng, lexicon, near)
    return first + rng.choice(stock.CLINICS)


def office(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A public office."""
    first = _placed(rng, near, 0.8) if rng.random() < 0.8 else stem(rng, lexicon, near)
    return first + rng.choice(stock.OFFICES)


def bank(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A bank's branch."""
    name = rng.choice(stock.BANKS)
    draw = rng.random()
    if draw < 0.2:
        return name
    first = stem(rng, lexicon, near) if draw < 0.8 else _placed(rng, near, 1.0)
    return name + first + rng.choice(("支行", "支行", "分行", "分理处", "营业部", "营业厅", "ATM"))


def landmark(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A station, park, farm or temple."""
    return stem(rng, lexicon, near) + rng.choice(stock.STATIONS)


_PLACE: Final[Weighted[Callable[[random.Random, Lexicon, Near], str]]] = Weighted(
    (
        (estate, 26.0),
        (company, 20.0),
        (building, 14.0),
        (shop, 14.0),
        (factory, 5.0),
        (market, 5.0),
        (school, 8.0),
        (clinic, 4.0),
        (office, 6.0),
        (bank, 2.0),
        (landmark, 5.0),
    )
)


def place(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """Any place."""
    return _PLACE(rng)(rng, lexicon, near)


def industrial_estate(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A smaller cluster of works, known by its name as a place is: 城北工业区."""
    draw = rng.random()
    if draw < 0.3 and near:
        name = rng.choice(near)
    elif draw < 0.5:
        name = rng.choice(lexicon.settlement)
    elif draw < 0.6:
        name = rng.choice(
            (
                "城东",
                "城西",
                "城南",
                "城北",
                "镇东",
                "北部",
                "南郊",
                "东部",
                "西郊",
                "滨海",
                "开发区",
            )
        )
    else:
        name = stem(rng, lexicon, near)
    name += rng.choice(("", "", "", "", "第一", "第二", "第三", "民营", "个体", "新", "科技"))
    return name + _INDUSTRIAL(rng)


def zone(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A development zone: a named area of its own administration."""
    draw = rng.random()
    if draw < 0.08:
        return rng.choice(lexicon.zone)
    name = ""
    if draw < 0.45 and near:
        name = rng.choice(near)
    elif draw < 0.75:
        name = stem(rng, lexicon, near)
    elif draw < 0.80:
        name = rng.choice(
            ("城东", "城西", "城南", "城北", "江东", "江北", "东部", "滨海", "临港", "空港", "沿海")
        )
    if name and rng.random() < 0.04:
        name += rng.choice(("市", "国家级", "省级", "国家"))
    return name + _ZONE(rng)


def block(rng: random.Random) -> str:
    """A part of a place: a gate, a block, a campus."""
    return rng.choice(stock.GATES) if rng.random() < 0.35 else _block(rng)


def _block(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.6:
        return rng.choice(stock.BLOCKS)
    if draw < 0.8:
        return letter(rng) + rng.choice(("区", "区", "区", "馆", "街", "块", "组团"))
    return rng.choice((hanzi(small(rng, 12)), str(small(rng, 12)))) + rng.choice(
        ("区", "区", "组团", "号门", "号馆")
    )


def inside(rng: random.Random, lexicon: Lexicon, near: Near) -> str:
    """A place inside another place."""
    draw = rng.random()
    if draw < 0.36:
        return block(rng)
    if draw < 0.66:
        return rng.choice(stock.FUNCTIONS)
    if draw < 0.84:
        return shop(rng, lexicon, near)
    return company(rng, lexicon, near)
