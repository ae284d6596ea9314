"""Addresses of Hong Kong, Macau and Taiwan, in their own order and words.

Hong Kong and Macau: region, district, quarter, road, number, building, block, floor, flat.
Taiwan: city or county, district or township, road with section, lane, number, floor.
"""

from __future__ import annotations

import random
from typing import Final

from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.numbers import hanzi, letter, small
from consumer.starter.generator.pieces import Piece, Pieces
from consumer.starter.generator.places import building, company, estate, shop, stem
from consumer.starter.generator.region import bare
from consumer.starter.generator.stock import HK_ROADS, MACAU_ROADS, QUARTERS, TW_ROADS

_TRADITIONAL: Final = str.maketrans(
    "号楼区县镇乡台湾东龙门广华国兴丰义云贤宁荣庆万盛关园阁苑学书贝银铜锣环观塘头凤鸣里层单伟业弥级开庄贸",
    "號樓區縣鎮鄉臺灣東龍門廣華國興豐義雲賢寧榮慶萬盛關園閣苑學書貝銀銅鑼環觀塘頭鳳鳴里層單偉業彌級開莊貿",
)


def traditional(text: str) -> str:
    """The characters of addresses in their traditional form; lengths stay."""
    return text.translate(_TRADITIONAL)


def _flat(rng: random.Random) -> Pieces:
    pieces: Pieces = []
    if rng.random() < 0.45:
        pieces.append(
            Piece(
                "houseno",
                f"{rng.choice((str(small(rng, 12)), letter(rng), hanzi(small(rng, 9))))}{rng.choice(('座', '座', '期', '栋') if rng.random() < 0.2 else ('座',))}",
            )
        )
    if rng.random() < 0.85:
        number = small(rng, 45, 1.3)
        pieces.append(
            Piece(
                "floorno",
                (str(number) if rng.random() < 0.8 else hanzi(number))
                + rng.choice(("楼", "楼", "层", "/F", "字楼")),
            )
        )
    if rng.random() < 0.8:
        door = rng.choice((letter(rng), str(small(rng, 30)), f"{number_of_door(rng)}"))
        pieces.append(Piece("roomno", door + rng.choice(("室", "室", "室", "单位", "号室", "铺"))))
    return pieces


def number_of_door(rng: random.Random) -> str:
    """1203, 05."""
    return f"{small(rng, 40)}0{small(rng, 9)}" if rng.random() < 0.7 else f"0{small(rng, 9)}"


def _special_region(rng: random.Random, lexicon: Lexicon, name: str) -> Pieces:
    hong_kong = name.startswith("香港")
    place = lexicon.provinces[name]
    pieces: Pieces = []
    draw = rng.random()
    if draw < 0.9:
        pieces.append(Piece("prov", name if rng.random() < 0.5 else name[:2]))
    elif draw < 0.93:
        pieces += [Piece(None, "中国"), Piece("prov", name[:2])]
    district = rng.choice(place.children).name
    if draw >= 0.93 or rng.random() < 0.72:
        pieces.append(Piece("district", district))
    near = (name[:2], bare(district))
    if hong_kong and rng.random() < 0.42:
        pieces.append(Piece("town", rng.choice(QUARTERS)))
    own = lexicon.own(HK_ROADS if hong_kong else MACAU_ROADS)
    if rng.random() < 0.8:
        road = rng.choice(own)
        if rng.random() < 0.4:
            road = stem(rng, lexicon, near)[:3] + rng.choice(
                ("道", "街", "路", "里", "径", "围", "坊")
                if hong_kong
                else ("街", "大马路", "巷", "斜巷", "前地", "围")
            )
        pieces += [Piece("road", road), Piece("roadno", f"{small(rng, 800, 1.7)}号")]
        if rng.random() < 0.1:
            pieces[-1] = Piece("roadno", f"{small(rng, 300)}-{small(rng, 300)}号")
    if rng.random() < 0.72:
        poi = rng.choice((building, estate, building, company))(rng, lexicon, near)
        if rng.random() < 0.2:
            poi = stem(rng, lexicon, near) + rng.choice(
                ("邨", "苑", "阁", "台", "楼", "大厦", "工业大厦", "商业大厦", "中心", "广场")
            )
        pieces.append(Piece("poi", poi))
    if rng.random() < 0.7:
        pieces += _flat(rng)
    return pieces


def _taiwan(rng: random.Random, lexicon: Lexicon) -> Pieces:
    place = lexicon.provinces["台湾省"]
    pieces: Pieces = []
    draw = rng.random()
    if draw < 0.6:
        pieces.append(Piece("prov", "台湾省"))
    elif draw < 0.85:
        pieces.append(Piece("prov", "台湾"))
    unit = rng.choice(place.children)
    if unit.level == "city":
        pieces.append(Piece("city", unit.name if rng.random() < 0.92 else unit.name[:-1]))
        if unit.children and rng.random() < 0.92:
            pieces.append(Piece("district", rng.choice(unit.children).name))
    else:
        pieces.append(Piece("district", unit.name))
        if unit.towns:
            pieces.append(Piece("town", rng.choice(unit.towns)))
    near = (bare(unit.name),)
    if rng.random() < 0.12:
        pieces.append(Piece("community", rng.choice(lexicon.word) + "里"))
    road = (
        rng.choice(lexicon.own(TW_ROADS))
        if rng.random() < 0.6
        else stem(rng, lexicon, near)[:3] + rng.choice("路街")
    )
    if rng.random() < 0.5:
        road += f"{hanzi(small(rng, 7))}段"
    pieces.append(Piece("road", road))
    if rng.random() < 0.2:
        pieces.append(Piece("road", f"{small(rng, 400)}巷"))
    number = f"{small(rng, 500, 1.6)}号"
    if rng.random() < 0.08:
        number = f"{small(rng, 300)}之{small(rng, 9)}号"
    pieces.append(Piece("roadno", number))
    draw = rng.random()
    if draw < 0.5:
        pieces.append(Piece("floorno", f"{small(rng, 20, 1.6)}楼"))
        if rng.random() < 0.12:
            pieces += [Piece(None, "之"), Piece("roomno", str(small(rng, 9)))]
    elif draw < 0.65:
        pieces.append(Piece("poi", rng.choice((building, shop, company))(rng, lexicon, near)))
    return pieces


def overseas(rng: random.Random, lexicon: Lexicon) -> Pieces:
    """A whole address of one of the three, at times in traditional characters."""
    draw = rng.random()
    if draw < 0.42:
        pieces = _special_region(rng, lexicon, "香港特别行政区")
    elif draw < 0.6:
        pieces = _special_region(rng, lexicon, "澳门特别行政区")
    else:
        pieces = _taiwan(rng, lexicon)
    if rng.random() < 0.22:
        pieces = [Piece(kind, traditional(text)) for kind, text in pieces]
    return pieces


def by_quarter(rng: random.Random, lexicon: Lexicon) -> Pieces:
    """香港九龙尖沙咀弥敦道132号: the old three parts of Hong Kong in the districts' stead."""
    pieces: Pieces = [Piece("prov", rng.choice(("香港", "香港", "香港特别行政区")))]
    pieces.append(Piece("district", rng.choice(("九龙", "新界", "港岛", "香港岛"))))
    if rng.random() < 0.75:
        pieces.append(Piece("town", rng.choice(QUARTERS)))
    road = rng.choice(lexicon.own(HK_ROADS))
    if rng.random() < 0.4:
        road = stem(rng, lexicon, ())[:3] + rng.choice(("道", "街", "路", "里"))
    pieces += [Piece("road", road), Piece("roadno", f"{small(rng, 800, 1.7)}号")]
    if rng.random() < 0.6:
        pieces.append(Piece("poi", rng.choice((building, estate, company))(rng, lexicon, ())))
        pieces += _flat(rng) if rng.random() < 0.6 else []
    return pieces
