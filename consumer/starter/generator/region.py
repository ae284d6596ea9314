"""The administrative head of an address: province, city, district, town, in every form in use.

Owns how divisions are abbreviated, left out, doubled and outdated. Special regions and
Taiwan are in ``overseas``.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from consumer.starter.generator.lexicon import Lexicon, Place
from consumer.starter.generator.pieces import Piece, Pieces, Weighted
from consumer.starter.generator.stock import RETIRED_DISTRICTS

MUNICIPALITIES: Final = ("北京市", "上海市", "天津市", "重庆市")
SHORT_PROVINCES: Final = {
    "内蒙古自治区": "内蒙古",
    "广西壮族自治区": "广西",
    "西藏自治区": "西藏",
    "宁夏回族自治区": "宁夏",
    "新疆维吾尔自治区": "新疆",
}
# By parcels rather than by area: where addresses are written most.
_PROVINCES: Final = (
    ("浙江省", 26.0),
    ("广东省", 10.0),
    ("江苏省", 9.0),
    ("山东省", 5.0),
    ("上海市", 5.0),
    ("北京市", 4.5),
    ("福建省", 4.0),
    ("河南省", 3.5),
    ("四川省", 3.5),
    ("湖北省", 3.0),
    ("河北省", 3.0),
    ("湖南省", 3.0),
    ("安徽省", 3.0),
    ("江西省", 2.2),
    ("陕西省", 2.0),
    ("辽宁省", 2.2),
    ("重庆市", 2.2),
    ("天津市", 2.0),
    ("广西壮族自治区", 2.0),
    ("云南省", 1.8),
    ("山西省", 1.6),
    ("贵州省", 1.5),
    ("黑龙江省", 1.6),
    ("吉林省", 1.4),
    ("内蒙古自治区", 1.5),
    ("新疆维吾尔自治区", 1.5),
    ("甘肃省", 1.1),
    ("海南省", 1.2),
    ("宁夏回族自治区", 0.8),
    ("青海省", 0.7),
    ("西藏自治区", 0.7),
)
_CITIES_WITHOUT_DISTRICTS: Final = ("东莞市", "中山市", "儋州市", "嘉峪关市")
_PEOPLES: Final = re.compile(
    r"(壮|回|维吾尔|蒙古|藏|苗|彝|侗|瑶|土家|布依|朝鲜|满|白|哈尼|傣|傈僳|景颇|黎|佤|畲|拉祜|水|东乡|纳西|柯尔克孜|土|仫佬|羌|"
    r"布朗|撒拉|毛南|仡佬|锡伯|普米|塔吉克|怒|乌孜别克|俄罗斯|鄂温克|德昂|保安|裕固|独龙|鄂伦春|赫哲|门巴|珞巴|基诺|达斡尔|哈萨克)族"
)

# Which of province, city, district, town are written.
_SHAPES: Final = Weighted(
    (
        ("pcdt", 22.0),
        ("pcd", 25.0),
        ("cdt", 10.0),
        ("cd", 14.0),
        ("d", 5.0),
        ("dt", 6.0),
        ("pd", 2.5),
        ("pdt", 2.5),
        ("pc", 2.5),
        ("c", 2.5),
        ("pct", 1.0),
        ("ct", 0.8),
        ("t", 1.6),
        ("p", 0.4),
        ("", 4.2),
    )
)
# A county-level city is well known by itself: its prefecture is often left out.
_COUNTY_CITY_SHAPES: Final = Weighted(
    (
        ("pcdt", 18.0),
        ("pcd", 20.0),
        ("cdt", 7.0),
        ("cd", 9.0),
        ("d", 7.0),
        ("dt", 9.0),
        ("pd", 13.0),
        ("pdt", 12.0),
        ("t", 1.0),
        ("", 4.0),
    )
)


@dataclass(frozen=True, slots=True)
class Head:
    """The administrative part of one address, and names near it to compose others from."""

    pieces: Pieces
    near: tuple[str, ...]
    """Bare names (杭州, 余杭, 五常) of the places that the address lies in."""


def bare(name: str) -> str:
    """A division's name without what it is: 余杭区 → 余杭, 五常街道 → 五常."""
    for suffix in (
        "街道办事处",
        "地区办事处",
        "特别行政区",
        "办事处",
        "自治区",
        "自治州",
        "自治县",
        "自治旗",
        "街道",
        "民族乡",
        "地区",
        "新区",
        "省",
        "市",
        "州",
        "盟",
        "县",
        "区",
        "镇",
        "乡",
        "旗",
    ):
        if name.endswith(suffix) and len(name) - len(suffix) >= 2:
            name = name[: -len(suffix)]
            break
    shorter = _PEOPLES.split(name)[0]
    return shorter if len(shorter) >= 2 else name


def town_form(rng: random.Random, name: str) -> str:
    """A town as people write it: in full, as an office, or only its name."""
    draw = rng.random()
    if name.endswith("街道办事处"):
        return name if draw < 0.6 else name[:-3]
    if name.endswith("街道"):
        if draw < 0.80:
            return name
        if draw < 0.88:
            return name + "办事处"
        if draw < 0.91 and len(name) > 3:
            return name[:-2] + rng.choice(("街办", "办事处"))
        return name[:-2] if len(name) > 3 else name
    if name[-1] in "镇乡" and len(name) >= 3:
        if draw < 0.84:
            return name
        if draw < 0.87:
            return name[:-1] + ("乡" if name[-1] == "镇" else "镇")  # as it was before a reform
        if draw < 0.885:
            return name[:-1] + "街道"
        return name[:-1] if "族" not in name else name
    return name


def _form(rng: random.Random, name: str, shortened: float) -> str:
    """A division in full, or bare with the given chance where a bare name can be understood."""
    if rng.random() >= shortened:
        return name
    short = SHORT_PROVINCES.get(name, bare(name))
    if name.endswith("自治州") and rng.random() < 0.5:
        return short + "州"
    if name.endswith("自治县") and rng.random() < 0.5:
        return short + "县"
    return short


@cache
def _chooser(lexicon: Lexicon, province: str) -> Weighted[Place]:
    """Cities and county-level units of a province; large cities and lone ones more often."""
    place = lexicon.provinces[province]
    weights: list[tuple[Place, float]] = []
    for index, child in enumerate(place.children):
        weight = 1.0 + len(child.children) * 0.4
        if child.level == "city" and index == 0:
            weight *= 2.5  # the capital
        if child.name in _CITIES_WITHOUT_DISTRICTS:
            weight = 12.0 if len(child.towns) > 10 else 6.0
        weights.append((child, weight))
    return Weighted(weights)


_PROVINCE = Weighted(_PROVINCES)
_RETIRED = tuple(
    (province, city, name) for province, city, names in RETIRED_DISTRICTS for name in names
)


def head(rng: random.Random, lexicon: Lexicon) -> Head:
    """A head from anywhere on the mainland."""
    if rng.random() < 0.035:
        return _retired(rng, lexicon)
    province = _PROVINCE(rng)
    shortened = 0.04 if rng.random() < 0.7 else 0.75  # people are short throughout, or not
    first = _chooser(lexicon, province)(rng)
    if province in MUNICIPALITIES:
        return _municipality(rng, province, first, shortened)
    return _ordinary(rng, province, first, shortened)


def _written(name: str, district: str, town: str | None) -> tuple[str, ...]:
    names = (bare(name), bare(district), bare(town) if town else "")
    return tuple(n for n in names if 2 <= len(n) <= 4) or (bare(name),)


def _municipality(rng: random.Random, name: str, district: Place, shortened: float) -> Head:
    pieces: Pieces = []
    town = rng.choice(district.towns) if district.towns else None
    shape = _SHAPES(rng)
    if "c" in shape or "p" in shape:
        city = _form(rng, name, shortened)
        if rng.random() < 0.22:
            pieces.append(Piece("city", _form(rng, name, shortened)))
        pieces.append(Piece("city", city))
        if rng.random() < 0.015:
            pieces.append(Piece(None, "市辖区"))
    if "d" in shape:
        pieces.append(Piece("district", _form(rng, district.name, shortened * 0.5)))
    if "t" in shape and town:
        pieces.append(Piece("town", town_form(rng, town)))
    return Head(pieces, _written(name, district.name, town))


def _ordinary(rng: random.Random, province: str, place: Place, shortened: float) -> Head:
    city: Place | None
    district: Place | None
    if place.level == "district":  # answers to the province directly: 仙桃市
        city, district = None, place
    else:
        city, district = place, rng.choice(place.children) if place.children else None
    lowest = district or place
    town = rng.choice(lowest.towns) if lowest.towns else None
    county_city = district is not None and district.name.endswith("市")
    shape = (_COUNTY_CITY_SHAPES if county_city else _SHAPES)(rng)
    if shape == "t" and town and len(bare(town)) < 3 and rng.random() < 0.5:
        shape = "dt"
    pieces: Pieces = []
    if "p" in shape:
        pieces.append(Piece("prov", _form(rng, province, shortened + 0.06)))
    if city and ("c" in shape or (district is None and "d" in shape)):
        pieces.append(Piece("city", _form(rng, city.name, shortened)))
        if district is None and "d" in shape and rng.random() < 0.12:
            pieces.append(Piece("city", _form(rng, city.name, shortened)))  # 东莞市东莞市
        elif rng.random() < 0.006:
            pieces.append(Piece(None, "市辖区"))
    if district and "d" in shape:
        pieces.append(Piece("district", _form(rng, district.name, shortened * 0.7)))
    # Where nothing stands between city and road, the town is what people name.
    if town and ("t" in shape or (district is None and rng.random() < 0.7)):
        pieces.append(Piece("town", town_form(rng, town)))
    return Head(pieces, _written(place.name, lowest.name, town))


def _retired(rng: random.Random, lexicon: Lexicon) -> Head:
    """A district by the name it had before it was merged, raised or renamed."""
    province, city, name = rng.choice(_RETIRED)
    shape = _COUNTY_CITY_SHAPES(rng)
    shortened = 0.04 if rng.random() < 0.75 else 0.6
    pieces: Pieces = []
    municipality = province in MUNICIPALITIES
    if "p" in shape:
        pieces.append(Piece("city" if municipality else "prov", _form(rng, province, shortened)))
    if "c" in shape and not (municipality and pieces):
        pieces.append(Piece("city", _form(rng, city, shortened)))
    pieces.append(Piece("district", name))
    town = rng.choice(lexicon.towns)
    if "t" in shape:
        pieces.append(Piece("town", town_form(rng, town)))
    return Head(pieces, _written(city, name, town))
