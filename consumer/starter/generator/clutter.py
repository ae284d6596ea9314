"""What stands in addresses beside the address: separators, names, phones, odd characters.

Owns everything that changes how pieces look and nothing that changes what they are.
"""

from __future__ import annotations

import random
from typing import Final

from consumer.starter.generator.pieces import Piece, Pieces, Weighted
from consumer.starter.generator.places import person
from consumer.starter.generator.stock import ENDINGS

_SEPARATOR: Final = Weighted(
    (
        (" ", 60.0),
        ("，", 12.0),
        (",", 12.0),
        ("-", 4.0),
        ("　", 3.0),
        ("/", 2.0),
        ("、", 2.0),
        ("|", 1.0),
        ("_", 1.0),
        (".", 1.0),
        ("；", 0.5),
        ("·", 0.5),
    )
)
_OPENINGS: Final = (
    "地址：",
    "地址:",
    "收货地址：",
    "收件地址:",
    "住址：",
    "详细地址：",
    "中国",
    "中国",
    "中国",
    "【",
    "·",
    "送到",
    "寄往",
    "所在地区:",
)
_FULL_WIDTH: Final = str.maketrans(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#-()",
    "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ＃－（）",
)
# Radicals that look like the character, and a compatibility form or two.
_LOOK_ALIKES: Final = str.maketrans(
    "西山水石金木火土大小女子口门长马", "⻄⼭⽔⽯⾦⽊⽕⼟⼤⼩⼥⼦⼝⻔⻓⻢"
)
_BRACKETS: Final = (("(", ")"), ("（", "）"), ("【", "】"), ("[", "]"))


def phone(rng: random.Random) -> str:
    """A number of a phone's shape that is in nobody's use for certain only by chance."""
    if rng.random() < 0.8:
        return "1" + rng.choice("3456789") + "".join(str(rng.randrange(10)) for _ in range(9))
    return f"0{rng.randint(10, 999)}-{rng.randint(1000000, 89999999)}"


def bracketed(rng: random.Random, pieces: Pieces) -> Pieces:
    """Pieces between brackets."""
    left, right = rng.choice(_BRACKETS[:2]) if rng.random() < 0.9 else rng.choice(_BRACKETS)
    return [Piece(None, left), *pieces, Piece(None, right)]


def separated(rng: random.Random, pieces: Pieces) -> Pieces:
    """Separators at some or all joints; a minority of addresses have any."""
    draw = rng.random()
    if draw < 0.84:
        return pieces
    sign = _SEPARATOR(rng)
    chance = 0.85 if draw > 0.93 else 0.3
    out: Pieces = []
    for index, piece in enumerate(pieces):
        if index and rng.random() < chance and piece.text and pieces[index - 1].type is not None:
            out.append(Piece(None, sign))
        out.append(piece)
    return out


def surrounded(rng: random.Random, pieces: Pieces) -> Pieces:
    """Openings before, people, phones and wishes after."""
    if rng.random() < 0.02:
        pieces = [Piece(None, rng.choice(_OPENINGS)), *pieces]
    draw = rng.random()
    if draw > 0.04:
        return pieces
    between = rng.choice(("", " ", "，", ",", " "))
    tail: list[str] = []
    if draw < 0.024:
        tail = [person(rng), rng.choice(("", " ", "，")), phone(rng)]
        if rng.random() < 0.3:
            tail.reverse()
    elif draw < 0.030:
        tail = [person(rng) + rng.choice(("收", "(收)", "", "先生", "女士"))]
    else:
        tail = [rng.choice(ENDINGS)]
        if rng.random() < 0.5:
            left, right = rng.choice(_BRACKETS[:2])
            tail = [left, *tail, right]
    text = "".join(tail)
    if rng.random() < 0.15:
        return [Piece(None, text), Piece(None, between or " "), *pieces]
    return [*pieces, Piece(None, between + text)]


def distorted(rng: random.Random, pieces: Pieces) -> Pieces:
    """Characters in another form or, rarely, a wrong one; each stays one character."""
    draw = rng.random()
    if draw > 0.05:
        return pieces
    if draw < 0.014:
        return [Piece(kind, text.translate(_FULL_WIDTH)) for kind, text in pieces]
    if draw < 0.020:
        return [Piece(kind, text.translate(_LOOK_ALIKES)) for kind, text in pieces]
    if draw < 0.028:
        return [Piece(kind, text.lower()) for kind, text in pieces]
    # A slip of the pen, an emoji, a character of no font: the label of the place stays.
    index = rng.randrange(len(pieces)) if pieces else 0
    if pieces and pieces[index].text:
        kind, text = pieces[index]
        at = rng.randrange(len(text))
        wrong = (
            rng.choice(("の", "?", "□", "*", "𠮷", "😀", "㙍", "囗", "x"))
            if rng.random() < 0.4
            else chr(rng.randint(0x4E00, 0x8FFF))
        )
        if kind is None or len(text) < 2:
            return pieces
        pieces = [
            *pieces[:index],
            Piece(kind, text[:at] + wrong + text[at + 1 :]),
            *pieces[index + 1 :],
        ]
    return pieces
