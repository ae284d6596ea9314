"""Addresses with and without trouble whose truth is known, for measuring `mgeo insights`.

Clean ones come from the project's own generator without its clutter. Troubles are planted by rules
of this file's own: it imports neither the detectors nor their words, and must never do so.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from consumer.starter.generator.addresses import families
from consumer.starter.generator.layout import Family
from consumer.starter.generator.lexicon import Lexicon, Split, lexicon
from consumer.starter.generator.pieces import Piece, Pieces, Weighted, assemble
from consumer.starter.generator.places import building, company, shop
from consumer.starter.generator.region import head

RELEASE: Final = 2

# Detectors were fitted on five other lists of notes than this one, which was written afterwards.
_NOTES: Final = (
    "家门口有摄像头",
    "爷爷耳背多按几下",
    "三轮车进不来",
    "跟老公的快件合一起",
    "先别寄等我消息",
    "搁花盆后边",
    "冰袋多加两个",
    "换个结实的纸箱",
    "司机师傅走北门",
    "此处限高两米",
    "婚礼用品急等",
    "送错过一次了看清楚",
    "开门暗号是小白",
    "他姓欧阳别叫错",
    "商品名称写书籍",
    "保密发货",
    "存菜鸟别给邻居",
    "无人时挂门把手",
    "对方付邮费",
    "到站打给我弟",
    "麻将桌要两人抬",
    "下雨天盖好雨布",
    "这单不着急",
    "老人家看不清字",
)
_SERIALS: Final = ("单号SF", "订单编号：", "NO.", "运单", "YT", "会员号", "#")
_REMNANTS: Final = (
    "<br/>",
    "null",
    "undefined",
    "&nbsp;",
    "{{address2}}",
    "<span>",
    "\\n",
    "${remark}",
)
_SURNAMES: Final = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
)
_GIVEN: Final = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红娥玲芬燕鹏飞浩然子轩雨欣梓涵一诺"
)
_MAILBOXES: Final = (
    "qq.com",
    "163.com",
    "126.com",
    "gmail.com",
    "sina.com.cn",
    "outlook.com",
    "company.cn",
)
_ENGLISH: Final = (
    "Room 1203, Building 5, Sunshine Garden",
    "No. 88 Zhongshan East Road",
    "Unit B, 3rd Floor, Science Park",
    "near the railway station, opposite to the bank",
    "Please deliver to the front desk",
    "Tower A, International Plaza",
    "Jinhai Industrial Estate, Block 7",
    "the second gate on the left side",
)
_JAPANESE: Final = (
    "のとなりのビル",
    "マンション３階",
    "こちらへどうぞ",
    "センタービルの中",
    "おとどけください",
)
_KOREAN: Final = ("아파트 삼동", "건물 뒤편", "경비실에 맡겨주세요", "국제빌딩 오층")
_RUSSIAN: Final = (
    "дом пять квартира семь",
    "улица Ленина",
    "второй этаж справа",
    "склад номер два",
)
_JOINTS: Final = ("；", ";", "/", " / ", " ", "，", "或者", "\n", "、", "|")


@dataclass(frozen=True, slots=True)
class Made:
    """One address and the classes of trouble that were planted in it."""

    text: str
    planted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """A clean address, by its parts."""

    region: Pieces
    body: Pieces
    near: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return assemble([*self.region, *self.body]).text


class Maker:
    """Clean addresses without end, and troubles to plant in them; the same seed, the same ones."""

    def __init__(self, seed: int, split: Split = "held_out") -> None:
        self.rng = random.Random(f"planted/{seed}/{split}")
        self.names: Lexicon = lexicon(split)
        self._family: Weighted[Family] = Weighted(
            (family, family.weight) for family in families(split, RELEASE)
        )

    def parts(self) -> Parts:
        """One whose labels name a province or a city, as one piece each."""
        while True:
            first = head(self.rng, self.names)
            body = self._family(self.rng).make(self.rng, self.names, first.near)
            kinds = {piece.type for piece in first.pieces}
            if kinds & {"prov", "city"} and any(piece.text for piece in body):
                return Parts(first.pieces, body, first.near)

    def clean(self) -> Made:
        """One without trouble."""
        return Made(self.parts().text, frozenset())

    def planted(self, code: str) -> Made:
        """One with this trouble, and no other on purpose."""
        return Made(_PLANTERS[code](self), frozenset({code}))


def without_province(maker: Maker) -> str:
    """The region left out, as within a town everybody knows it."""
    while True:
        parts = maker.parts()
        towns = [piece for piece in parts.region if piece.type == "town"]
        pieces = [*towns, *parts.body]
        if {"road", "poi", "community"} & {piece.type for piece in pieces}:
            return assemble(pieces).text


def contradicting(maker: Maker) -> str:
    """A district of another province."""
    rng, provinces = maker.rng, maker.names.provinces
    while True:
        here, there = rng.sample(sorted(provinces), 2)
        if here.endswith("区") or there.endswith("区"):
            continue  # special and autonomous regions have orders and names of their own
        cities = [one for one in provinces[here].children if one.level == "city" and one.children]
        others = [
            unit.name
            for city in provinces[there].children
            for unit in city.children
            if len(unit.name) >= 3
        ]
        if not cities or not others:
            continue
        city, district = rng.choice(cities), rng.choice(others)
        at_home = {unit.name for one in provinces[here].children for unit in (one, *one.children)}
        if any(district[:-1] in name or name[:-1] in district for name in at_home):
            continue
        named = [Piece("city", city.name), Piece("district", district)]
        if rng.random() < 0.7:
            named.insert(0, Piece("prov", here))
        return assemble([*named, *maker.parts().body]).text


def with_a_rest(maker: Maker) -> str:
    """What is no address behind the address: a note, a number of an order, what a program left."""
    rng = maker.rng
    draw = rng.random()
    if draw < 0.5:
        rest = rng.choice(_NOTES)
    elif draw < 0.75:
        rest = (
            rng.choice(_SERIALS)
            + rng.choice("2457")
            + "".join(rng.choices("0123456789", k=rng.randint(9, 15)))
        )
    else:
        rest = rng.choice(_REMNANTS)
    return maker.parts().text + rng.choice(("，", " ", "（", ",")) + rest


def garbled(maker: Maker) -> str:
    """Below the region, characters in a random order: no model can be sure of anything there."""
    parts = maker.parts()
    characters = list(assemble([*parts.body, *maker.parts().body]).text)
    maker.rng.shuffle(characters)
    return assemble(parts.region).text + "".join(characters)


def doubled(maker: Maker) -> str:
    """The region as a form fills it in, and again as a person types it."""
    rng = maker.rng
    while True:
        parts = maker.parts()
        region = [piece for piece in parts.region if piece.type in ("prov", "city", "district")]
        names = {piece.text.rstrip("省市") for piece in region}
        if len(region) >= 2 and len(names) == len(region):
            break
    again = region if rng.random() < 0.6 else region[-2:]
    between = rng.choice(("", "", " ", "，", "-"))
    return assemble([*region, Piece(None, between), *again, *parts.body]).text


def with_a_person(maker: Maker) -> str:
    """A phone, a card's number, a mailbox or a name, before or behind."""
    rng = maker.rng
    person = rng.choice(_SURNAMES) + "".join(rng.choices(_GIVEN, k=rng.choice((1, 2, 2))))
    mobile = "1" + rng.choice("3578") + "".join(rng.choices("0123456789", k=9))
    shown = rng.choice(
        (mobile, mobile, f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}", f"+86 {mobile}")
    )
    kinds = (
        shown,
        f"{person}{shown}",
        f"{person} {shown}",
        f"{rng.choice(('020', '0571', '0755'))}-{rng.randint(22222222, 88888888)}",
        _card(rng),
        f"{''.join(rng.choices('abcdefgh', k=6))}{rng.randint(1, 99)}@{rng.choice(_MAILBOXES)}",
        f"{person[0]}{rng.choice(('先生', '女士'))}",
        f"{person}{rng.choice(('收', '（收）', '(收)', '女士', '先生'))}",
        f"收件人：{person}",
    )
    what, text = rng.choice(kinds), maker.parts().text
    between = rng.choice((" ", "，", ",", "（", " "))
    if rng.random() < 0.2:
        return f"{what}{rng.choice((' ', '，'))}{text}"
    return text + between + what + ("）" if between == "（" else "")


def _card(rng: random.Random) -> str:
    """An identity card's number with the right check digit (GB 11643)."""
    body = (
        f"{rng.choice(('110105', '330106', '440305', '510104'))}{rng.randint(1955, 2005)}"
        f"{rng.randint(1, 12):02}{rng.randint(1, 28):02}{rng.randint(1, 999):03}"
    )
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True))
    return body + "10X98765432"[total % 11]


def foreign(maker: Maker) -> str:
    """A part in another language."""
    rng = maker.rng
    words = rng.choice((_ENGLISH, _ENGLISH, _JAPANESE, _KOREAN, _RUSSIAN))
    return maker.parts().text + rng.choice((" ", "，", "")) + rng.choice(words)


def endless(maker: Maker) -> str:
    """Places within places until it is longer than any address."""
    parts, rng = maker.parts(), maker.rng
    text = parts.text
    while len(text) <= 105:
        text += rng.choice((building, company, shop))(rng, maker.names, parts.near)
    return text


def _look_alikes() -> dict[str, list[str]]:
    """Characters to those that only look the same, out of Unicode's own tables."""
    found: dict[str, list[str]] = {}
    for code in (*range(0x2F00, 0x2FD6), *range(0xF900, 0xFA6E)):
        whole = unicodedata.normalize("NFKC", chr(code))
        if len(whole) == 1 and whole != chr(code):
            found.setdefault(whole, []).append(chr(code))
    return found


def disguised(maker: Maker) -> str:
    """One or two characters in another guise, or one that cannot be seen."""
    rng, table = maker.rng, _look_alikes()
    while True:
        text = maker.parts().text
        places = [at for at, one in enumerate(text) if one in table]
        draw = rng.random()
        if draw < 0.2:
            at = rng.randrange(1, len(text))
            return text[:at] + rng.choice("\u200b\u200e\u202c\ufeff") + text[at:]
        if draw < 0.35 and "A" in text + "B":
            return text.replace("A", "А").replace("B", "В") if "A" in text else text + "В座"
        if places:
            for at in rng.sample(places, min(len(places), rng.choice((1, 2)))):
                text = text[:at] + rng.choice(table[text[at]]) + text[at + 1 :]
            return text


def two_at_once(maker: Maker) -> str:
    """Two whole addresses in one string."""
    return maker.parts().text + maker.rng.choice(_JOINTS) + maker.parts().text


_PLANTERS: Final[dict[str, Callable[[Maker], str]]] = {
    "no_province": without_province,
    "region_conflict": contradicting,
    "unparsed_remainder": with_a_rest,
    "low_confidence": garbled,
    "duplicated_prefix": doubled,
    "personal_data": with_a_person,
    "foreign_text": foreign,
    "over_long": endless,
    "lookalike_characters": disguised,
    "several_addresses": two_at_once,
}

CODES: Final = tuple(_PLANTERS)


def mixed(maker: Maker, of_each: int, clean: int) -> Iterator[Made]:
    """A range of both."""
    for code in CODES:
        for _ in range(of_each):
            yield maker.planted(code)
    for _ in range(clean):
        yield maker.clean()
