"""Layouts of addresses: which parts follow which, and how often."""

from __future__ import annotations

import random
from typing import Final

from consumer.starter.generator import places, units
from consumer.starter.generator.beside import assist, beside, crossing, distance
from consumer.starter.generator.clutter import bracketed
from consumer.starter.generator.layout import Family, Near, perhaps
from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.numbers import hanzi, letter, small
from consumer.starter.generator.pieces import Piece, Pieces
from consumer.starter.generator.roads import lane_number, numbered_road, road, road_number
from consumer.starter.generator.rural import community, group, group_number, rural, village
from consumer.starter.generator.templates_more import MORE


def _start(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """What may stand between town and road."""
    draw = rng.random()
    if draw < 0.07:
        return [Piece("community", community(rng, lex, near))]
    if draw < 0.11:
        return [Piece("community", village(rng, lex))]
    if draw < 0.14:
        return [Piece("devzone", places.zone(rng, lex, near))]
    return []


def _phased(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    pieces = [Piece("poi", places.estate(rng, lex, near))]
    if rng.random() < 0.17:
        pieces.append(Piece("subpoi", places.block(rng)))
    return pieces


def home_on_road(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号翠苑小区3幢2单元101室"""
    along = numbered_road if rng.random() < 0.62 else road
    return [
        *_start(rng, lex, near),
        *along(rng, lex, near),
        *_phased(rng, lex, near),
        *perhaps(rng, 0.9, units.home(rng)),
    ]


def home(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """翠苑小区3幢2单元101室"""
    return [*_start(rng, lex, near), *_phased(rng, lex, near), *perhaps(rng, 0.92, units.home(rng))]


def home_by_number(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号3幢101室"""
    return [*_start(rng, lex, near), *numbered_road(rng, lex, near), *units.home(rng)]


def room_by_number(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号302室, 文一路12号3楼"""
    tail = units.office(rng) if rng.random() < 0.7 else [Piece("roomno", units.stall(rng))]
    return [*_start(rng, lex, near), *numbered_road(rng, lex, near), *tail]


def number(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号"""
    return [*_start(rng, lex, near), *numbered_road(rng, lex, near)]


def place_on_road(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号国际大厦12楼1201室, at times with who is inside"""
    pieces = [*_start(rng, lex, near)]
    pieces += numbered_road(rng, lex, near) if rng.random() < 0.82 else road(rng, lex, near)
    pieces.append(Piece("poi", places.place(rng, lex, near)))
    draw = rng.random()
    if draw < 0.42:
        pieces += units.office(rng)
    elif draw < 0.56:
        pieces.append(Piece("subpoi", places.inside(rng, lex, near)))
        pieces += perhaps(rng, 0.3, units.office(rng))
    if draw < 0.06:
        pieces.append(Piece("subpoi", places.company(rng, lex, near)))
    return pieces


def place(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """国际大厦12楼, 第一人民医院住院部"""
    pieces = [*_start(rng, lex, near), Piece("poi", places.place(rng, lex, near))]
    draw = rng.random()
    if draw < 0.3:
        pieces += units.office(rng)
    elif draw < 0.5:
        pieces.append(Piece("subpoi", places.inside(rng, lex, near)))
        pieces += perhaps(rng, 0.3, units.office(rng))
    elif draw < 0.56:
        pieces.append(Piece("subpoi", places.block(rng)))
        pieces += units.home(rng)
    elif draw < 0.64:
        pieces += beside(rng)
    return pieces


def market(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """轻纺市场A区2楼1058号"""
    pieces = perhaps(rng, 0.3, numbered_road(rng, lex, near))
    if not pieces and rng.random() < 0.2:
        pieces = road(rng, lex, near)
    name = places.market if rng.random() < 0.75 else places.building
    pieces.append(Piece("poi", name(rng, lex, near)))
    draw = rng.random()
    if draw < 0.42:
        part = rng.choice((hanzi(small(rng, 6)), str(small(rng, 8)), letter(rng))) + rng.choice(
            ("区", "区", "区", "区", "街", "馆", "号门")
        )
        pieces.append(Piece("subpoi", part))
    elif draw < 0.5:
        pieces.append(Piece("subpoi", places.block(rng)))
    pieces += units.shop(rng)
    pieces += perhaps(rng, 0.08, [Piece("subpoi", places.shop(rng, lex, near))])
    return pieces


def zone(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """经济开发区纬三路18号鑫隆电器有限公司"""
    pieces = [Piece("devzone", places.zone(rng, lex, near))]
    draw = rng.random()
    if draw < 0.62:
        pieces += numbered_road(rng, lex, near) if rng.random() < 0.8 else road(rng, lex, near)
    elif draw < 0.70:
        pieces.append(Piece("roadno", road_number(rng)))
    if rng.random() < 0.6:
        pieces.append(Piece("poi", places.place(rng, lex, near)))
        pieces += perhaps(rng, 0.4, units.office(rng))
    return pieces


def works(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """城北工业区8号, 塘头村工业区三路5号恒信五金厂"""
    pieces = perhaps(rng, 0.25, [Piece("community", village(rng, lex))])
    if not pieces:
        pieces = perhaps(rng, 0.15, numbered_road(rng, lex, near))
    pieces.append(Piece("poi", places.industrial_estate(rng, lex, near)))
    draw = rng.random()
    if draw < 0.26:
        pieces.append(Piece("roadno", road_number(rng)))
    elif draw < 0.44:
        pieces += numbered_road(rng, lex, near) if rng.random() < 0.7 else road(rng, lex, near)
    elif draw < 0.56:
        pieces.append(
            Piece("houseno", f"{small(rng, 40)}{rng.choice(('幢', '栋', '号楼', '号厂房'))}")
        )
    elif draw < 0.66:
        pieces.append(Piece("subpoi", places.block(rng)))
        pieces += perhaps(rng, 0.5, [Piece("houseno", units.house(rng))])
    if rng.random() < 0.45:
        firm = places.company if rng.random() < 0.65 else places.factory
        # A firm inside a named estate is a place inside a place only where the estate is one.
        pieces.append(Piece("subpoi", firm(rng, lex, near)))
    elif rng.random() < 0.2:
        pieces += units.office(rng)
    return pieces


def countryside(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """塘头村5组, 塘头村上塘12号"""
    pieces = rural(rng, lex, near)
    draw = rng.random()
    if draw < 0.12:
        pieces.append(Piece("poi", places.place(rng, lex, near)))
    elif draw < 0.18:
        pieces += beside(rng)
    elif draw < 0.22:
        pieces += units.home(rng)
    return pieces


def place_in_village(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """塘头村鑫隆纸箱厂, 翠苑社区翠苑一区5幢"""
    if rng.random() < 0.6:
        pieces = [Piece("community", village(rng, lex))]
        kind = rng.choice(
            (places.factory, places.shop, places.company, places.estate, places.place)
        )
        pieces.append(Piece("poi", kind(rng, lex, near)))
        return pieces + beside(rng) if rng.random() < 0.12 else pieces
    pieces = [Piece("community", community(rng, lex, near))]
    draw = rng.random()
    if draw < 0.55:
        pieces += [*_phased(rng, lex, near), *units.home(rng)]
    elif draw < 0.75:
        pieces += numbered_road(rng, lex, near)
    elif draw < 0.85:
        pieces.append(Piece("village_group", group(rng)))
    elif draw < 0.95:
        pieces.append(Piece("houseno", units.house(rng)))
    return pieces


def crossroads(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路与学院路交叉口向北50米"""
    pieces = crossing(rng, lex, near)
    draw = rng.random()
    if draw < 0.4:
        pieces.append(Piece("poi", places.place(rng, lex, near)))
        pieces += perhaps(rng, 0.2, units.office(rng))
    return pieces


def beside_place(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路国际大厦对面, 与别处"""
    pieces = perhaps(
        rng, 0.6, numbered_road(rng, lex, near) if rng.random() < 0.5 else road(rng, lex, near)
    )
    draw = rng.random()
    if draw < 0.82 or not pieces:
        pieces.append(Piece("poi", places.place(rng, lex, near)))
    pieces += beside(rng)
    if rng.random() < 0.4:
        pieces.append(Piece("poi", places.place(rng, lex, near)))
    return pieces


def lane(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """张杨路500弄3号201室"""
    pieces = [*road(rng, lex, near), Piece("roadno", lane_number(rng))]
    draw = rng.random()
    if draw < 0.25:
        pieces.append(Piece("poi", places.estate(rng, lex, near)))
    if rng.random() < 0.85:
        pieces.append(
            Piece("houseno", f"{small(rng, 150)}号" + ("楼" if rng.random() < 0.08 else ""))
        )
        pieces += perhaps(rng, 0.75, [Piece("roomno", units.room(rng))])
    else:
        pieces += units.home(rng)
    return pieces


def campus(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """浙江工业大学屏峰校区东苑3号楼302"""
    pieces = perhaps(rng, 0.5, numbered_road(rng, lex, near))
    pieces.append(Piece("poi", places.school(rng, lex, near)))
    draw = rng.random()
    if draw < 0.35:
        pieces.append(Piece("subpoi", places.stem(rng, lex, near) + "校区"))
    elif draw < 0.55:
        pieces.append(Piece("subpoi", places.block(rng)))
    if rng.random() < 0.5:
        pieces.append(
            Piece(
                "subpoi",
                rng.choice(
                    (
                        "学生公寓",
                        "宿舍",
                        "男生宿舍",
                        "教学楼",
                        "图书馆",
                        "食堂",
                        "研究生公寓",
                        "寝室",
                        "教工宿舍",
                        "学生宿舍",
                        "实验楼",
                        "行政楼",
                    )
                ),
            )
        )
    pieces += perhaps(rng, 0.7, units.home(rng))
    return pieces


def numbered_place(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """翠苑小区12号, 新村5-2号302, 商住楼"""
    pieces = [Piece("poi", places.estate(rng, lex, near))]
    pieces += perhaps(rng, 0.2, [Piece("subpoi", places.block(rng))])
    pieces.append(
        Piece(
            "houseno", f"{small(rng, 120)}{rng.choice(('号', '号', '号', f'-{small(rng, 9)}号'))}"
        )
    )
    pieces += perhaps(rng, 0.5, [Piece("roomno", units.room(rng))])
    return pieces


def group_first(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """5组12号 after a village that is known by its own name alone"""
    pieces = [Piece("community", village(rng, lex)), Piece("roadno", group_number(rng))]
    return pieces + perhaps(rng, 0.1, [Piece("poi", places.shop(rng, lex, near))])


def long_chain(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """Everything at once, as forms with many fields print it"""
    return [
        Piece("community", community(rng, lex, near)),
        *numbered_road(rng, lex, near),
        Piece("poi", places.estate(rng, lex, near)),
        *perhaps(rng, 0.4, [Piece("subpoi", places.block(rng))]),
        *units.home(rng),
        *perhaps(rng, 0.3, [Piece("subpoi", places.shop(rng, lex, near))]),
        *perhaps(rng, 0.3, beside(rng)),
    ]


def place_then_road(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """国际大厦(文一路12号), the place first"""
    pieces = [Piece("poi", places.place(rng, lex, near))]
    inner = numbered_road(rng, lex, near)
    if rng.random() < 0.3:
        inner = [*inner, *beside(rng)]
    if rng.random() < 0.7:
        return pieces + bracketed(rng, inner)
    return pieces + inner


def place_in_brackets(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号(国际大厦旁)"""
    pieces = numbered_road(rng, lex, near)
    inner = [Piece("poi", places.place(rng, lex, near)), *perhaps(rng, 0.6, [assist(rng)])]
    pieces += bracketed(rng, inner)
    return pieces + perhaps(rng, 0.3, units.office(rng))


def along_the_road(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路往东200米国际大厦旁"""
    pieces = [*road(rng, lex, near), distance(rng)]
    pieces += perhaps(rng, 0.7, [Piece("poi", places.place(rng, lex, near))])
    return pieces + perhaps(rng, 0.5, [assist(rng)])


def shop_under_home(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """翠苑小区3幢底商12号"""
    return [
        *_phased(rng, lex, near),
        Piece("houseno", units.house(rng)),
        *perhaps(rng, 0.3, [Piece("floorno", units.floor(rng))]),
        Piece("roomno", units.stall(rng)),
    ]


FAMILIES: Final = (
    Family("home on road", 14.0, home_on_road),
    Family("home", 13.0, home),
    Family("home by number", 5.0, home_by_number),
    Family("room by number", 4.0, room_by_number),
    Family("number", 7.0, number),
    Family("place on road", 16.0, place_on_road),
    Family("place", 9.0, place),
    Family("market", 3.0, market),
    Family("zone", 3.0, zone),
    Family("works", 4.0, works),
    Family("countryside", 9.0, countryside),
    Family("place in village", 5.5, place_in_village),
    Family("crossroads", 2.0, crossroads),
    Family("beside place", 3.0, beside_place),
    Family("lane", 2.0, lane),
    Family("campus", 2.0, campus, since=2),
    Family("numbered place", 1.6, numbered_place, since=2),
    Family("group first", 1.5, group_first, since=2),
    Family("place in brackets", 1.2, place_in_brackets, since=2),
    Family("place then road", 1.0, place_then_road, since=2),
    Family("long chain", 0.8, long_chain, since=2),
    Family("shop under home", 0.8, shop_under_home, held_out=True),
    Family("along the road", 1.0, along_the_road, held_out=True),
    *MORE,
)
