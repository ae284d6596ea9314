"""Building, entrance, floor and door: the tail of an address.

Owns the many ways to write them, run together (12-3-1001) or in full (12幢3单元1001室).
"""

from __future__ import annotations

import random
from typing import Final

from consumer.starter.generator.numbers import hanzi, letter, room_number, small
from consumer.starter.generator.pieces import Piece, Pieces, Weighted
from consumer.starter.generator.stock import FLOOR_WORDS

_HOUSE_WORD: Final = Weighted(
    (
        ("幢", 30.0),
        ("栋", 22.0),
        ("号楼", 26.0),
        ("座", 5.0),
        ("#", 3.0),
        ("#楼", 3.0),
        ("楼", 2.0),
        ("号", 2.0),
        ("橦", 0.3),
        ("栋楼", 0.5),
        ("幢楼", 0.3),
        ("＃", 0.2),
        ("排", 0.8),
        ("墩", 0.1),
    )
)
_DASH: Final = Weighted(
    (
        ("-", 78.0),
        ("－", 3.0),
        ("—", 4.0),
        ("一", 3.0),
        ("–", 1.0),
        ("/", 1.5),
        (".", 1.0),
        ("~", 0.5),
        ("·", 0.5),
        ("、", 0.5),
        ("_", 0.5),
        (" ", 2.0),
        ("#", 1.5),
    )
)
_ROOM_WORD: Final = Weighted(
    (
        ("室", 62.0),
        ("", 27.0),
        ("房", 5.0),
        ("号", 5.0),
        ("号房", 1.0),
        ("房间", 0.6),
        ("户", 0.5),
        ("单元", 0.0),
        ("铺", 0.5),
    )
)


def house(rng: random.Random) -> str:
    """A building: 12幢, 3号楼, A座, 5#."""
    draw = rng.random()
    if draw < 0.78:
        return f"{small(rng, 70, 2.2)}{_HOUSE_WORD(rng)}"
    if draw < 0.88:
        return letter(rng) + rng.choice(("座", "座", "栋", "幢", "楼", "栋"))
    if draw < 0.92:
        return f"{letter(rng)}{small(rng, 20)}{rng.choice(('栋', '幢', '座', '号楼', '#'))}"
    if draw < 0.96:
        return hanzi(small(rng, 30)) + rng.choice(("号楼", "幢", "栋", "座", "号楼"))
    if draw < 0.98:
        return f"{small(rng, 20)}-{small(rng, 9)}{rng.choice(('幢', '栋', '号楼', '号'))}"
    return f"{small(rng, 20)}{letter(rng, 'D')}{rng.choice(('幢', '栋', '座', '号楼'))}"


def cell(rng: random.Random) -> str:
    """An entrance: 2单元, 三单元, 甲单元, 2门."""
    draw = rng.random()
    if draw < 0.82:
        return f"{small(rng, 8, 1.8)}单元"
    if draw < 0.92:
        return f"{hanzi(small(rng, 6))}单元"
    if draw < 0.96:
        return rng.choice(("甲", "乙", "丙", "东", "西", "中", "A", "B", "C")) + "单元"
    return f"{small(rng, 6)}{rng.choice(('门', '门', '梯', '号门'))}"


def floor(rng: random.Random) -> str:
    """A floor: 3楼, 12层, 负一楼, 2F, 3-5层."""
    draw = rng.random()
    if draw < 0.74:
        return f"{small(rng, 30, 2.2)}{rng.choice('楼楼楼层层')}"
    if draw < 0.9:
        return rng.choice(FLOOR_WORDS)
    if draw < 0.93:
        return f"{small(rng, 30, 2.2)}{rng.choice('Ff')}"
    if draw < 0.95:
        return rng.choice(("B1层", "B1", "B2层", "B1楼", "-1楼", "-1层", "B2"))
    if draw < 0.98:
        low = small(rng, 12)
        return f"{low}{rng.choice('-~、至')}{low + small(rng, 4)}{rng.choice('楼层')}"
    return f"第{rng.choice((hanzi(small(rng, 12)), str(small(rng, 12))))}{rng.choice('层楼')}"


def room(rng: random.Random) -> str:
    """A door: 302室, 1201, A12房, 东户."""
    draw = rng.random()
    number = room_number(rng)
    if draw < 0.82:
        return number + _ROOM_WORD(rng)
    if draw < 0.87:
        return f"{number}-{small(rng, 12)}" + rng.choice(("", "室", "室", "号"))
    if draw < 0.91:
        return letter(rng) + number + rng.choice(("", "室", "室", "房"))
    if draw < 0.94:
        return number + letter(rng, "F") + rng.choice(("", "室", "室"))
    if draw < 0.96:
        return rng.choice(("东", "西", "中", "南", "北", "左", "右", "东边", "西边")) + rng.choice(
            ("户", "户", "室", "手")
        )
    if draw < 0.975:
        return f"{number}{rng.choice('、/，')}{int(number) + 1}{rng.choice(('室', ''))}"
    if draw < 0.99:
        return letter(rng, "F") + rng.choice(("室", "户", "房"))
    return f"{hanzi(small(rng, 20))}号房"


def stall(rng: random.Random) -> str:
    """A shop's number: 12号店铺, A区的 B-023, 1058号摊位."""
    draw = rng.random()
    number = str(small(rng, 200, 1.4)) if rng.random() < 0.7 else str(rng.randint(1001, 6999))
    if draw < 0.45:
        return number + rng.choice(
            (
                "号",
                "号",
                "号商铺",
                "号店铺",
                "号铺",
                "号店面",
                "号摊位",
                "号门面",
                "号商位",
                "号店",
                "铺",
                "号档口",
                "档",
            )
        )
    if draw < 0.62:
        return f"{letter(rng)}{rng.choice(('', '-', ''))}{number}" + rng.choice(
            ("", "号", "号", "铺", "号商铺", "号档")
        )
    if draw < 0.74:
        return f"{small(rng, 40)}-{small(rng, 30)}" + rng.choice(
            ("号", "号", "", "号商铺", "号店铺", "号摊")
        )
    if draw < 0.84:
        return rng.choice(("商铺", "店铺", "门面", "门市")) + number + rng.choice(("", "号"))
    if draw < 0.92:
        return f"{number}-{int(number) + small(rng, 4)}号" + rng.choice(
            ("", "商铺", "店面", "摊位")
        )
    return number


def run_together(rng: random.Random) -> Pieces:
    """Numbers joined by a dash: building, entrance and door, or only two of them."""
    dash = _DASH(rng)
    door = room_number(rng) + rng.choice(("", "", "", "室"))
    mark = rng.choice(("", "", "", "", "", "幢", "栋", "号楼", "#"))
    building = Piece("houseno", f"{small(rng, 60, 2.0)}{mark}")
    if rng.random() < 0.06:
        building = Piece(
            "houseno", letter(rng) + (str(small(rng, 20)) if rng.random() < 0.4 else "")
        )
    entrance = Piece("cellno", str(small(rng, 6, 1.7)))
    draw = rng.random()
    if draw < 0.58:
        between = "" if mark else dash
        return [building, Piece(None, between), entrance, Piece(None, dash), Piece("roomno", door)]
    if draw < 0.92:
        between = "" if mark and rng.random() < 0.6 else dash
        return [building, Piece(None, between), Piece("roomno", door)]
    unit = Piece("cellno", f"{entrance.text}单元")
    return [building, Piece(None, "" if mark else dash), unit, Piece("roomno", door)]


def home(rng: random.Random) -> Pieces:
    """The tail of a dwelling."""
    draw = rng.random()
    if draw < 0.25:
        return run_together(rng)
    if draw < 0.49:
        return [
            Piece("houseno", house(rng)),
            Piece("cellno", cell(rng)),
            Piece("roomno", room(rng)),
        ]
    if draw < 0.66:
        return [Piece("houseno", house(rng)), Piece("roomno", room(rng))]
    if draw < 0.80:
        return [Piece("houseno", house(rng))]
    if draw < 0.83:
        return [Piece("houseno", house(rng)), Piece("cellno", cell(rng))]
    if draw < 0.86:
        return [
            Piece("houseno", house(rng)),
            Piece("cellno", cell(rng)),
            Piece("floorno", floor(rng)),
            *([Piece("roomno", room(rng))] if rng.random() < 0.5 else []),
        ]
    if draw < 0.90:
        return [Piece("houseno", house(rng)), Piece("floorno", floor(rng))]
    if draw < 0.93:
        return [Piece("cellno", cell(rng)), Piece("roomno", room(rng))]
    if draw < 0.955:
        return [Piece("roomno", room_number(rng) + rng.choice(("室", "室", "")))]
    # 12幢3-302, 12幢-3-302
    return [
        Piece("houseno", house(rng)),
        Piece(None, rng.choice(("", "", "-"))),
        Piece("cellno", str(small(rng, 5))),
        Piece(None, _DASH(rng)),
        Piece("roomno", room_number(rng) + rng.choice(("室", "", ""))),
    ]


def office(rng: random.Random) -> Pieces:
    """The tail of a place of work."""
    draw = rng.random()
    if draw < 0.22:
        return [Piece("floorno", floor(rng))]
    if draw < 0.38:
        return [Piece("roomno", room(rng))]
    if draw < 0.52:
        return [Piece("houseno", house(rng)), Piece("roomno", room(rng))]
    if draw < 0.66:
        return [Piece("houseno", house(rng)), Piece("floorno", floor(rng))]
    if draw < 0.76:
        return [
            Piece("houseno", house(rng)),
            Piece("floorno", floor(rng)),
            Piece("roomno", room(rng)),
        ]
    if draw < 0.86:
        return [Piece("floorno", floor(rng)), Piece("roomno", room(rng))]
    if draw < 0.95:
        return [Piece("houseno", house(rng))]
    bare_letter = letter(rng, "D")
    return [Piece("houseno", bare_letter), Piece("roomno", room_number(rng))]


def shop(rng: random.Random) -> Pieces:
    """The tail of a shop in a building or a market."""
    draw = rng.random()
    if draw < 0.5:
        return [Piece("roomno", stall(rng))]
    if draw < 0.8:
        return [Piece("floorno", floor(rng)), Piece("roomno", stall(rng))]
    if draw < 0.9:
        return [Piece("houseno", house(rng)), Piece("roomno", stall(rng))]
    return [Piece("floorno", floor(rng))]
