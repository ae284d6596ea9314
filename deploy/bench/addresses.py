"""Distinct made-up addresses of everyday length, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from consumer.gazetteer.divisions import Division, load_divisions

_ROADS: Final = (
    *("人民", "解放", "中山", "建设", "和平", "新华", "文化", "长江", "黄河", "青年"),
    *("光明", "朝阳", "滨河", "迎宾", "科技", "学院", "创业"),
)
_DIRECTIONS: Final = ("", "", "", "东", "西", "南", "北", "中")
_KINDS: Final = ("路", "路", "路", "街", "大道", "巷")
_ESTATES: Final = (
    *("阳光", "锦绣", "翠园", "金色", "幸福", "世纪", "东方", "江南", "花园", "龙湖"),
    *("银河", "盛世", "春天", "碧水", "和谐", "丽景"),
)
_ESTATE_KINDS: Final = ("小区", "花园", "家园", "大厦", "广场", "公寓", "苑")


def distinct_addresses(count: int, seed: int) -> Iterator[str]:
    """So many different addresses, in the order in which the seed draws them.

    From a province down to a road number, half of them with an estate, a third of those with
    building, unit and room: 10 to 50 characters, about 22 on average, as addresses have.
    """
    rng = random.Random(seed)  # noqa: S311  (reproducible, not secret)
    places = _places(load_divisions())
    seen: set[str] = set()
    while len(seen) < count:
        text = _address(rng, places)
        if text not in seen:
            seen.add(text)
            yield text


def _places(divisions: tuple[Division, ...]) -> list[str]:
    by_code = {division.code: division for division in divisions}
    found = []
    for division in divisions:
        if division.level != "district":
            continue
        names, unit = [], division
        while True:
            names.append(unit.name)
            if not unit.parent_code:
                break
            unit = by_code[unit.parent_code]
        found.append("".join(reversed(names)))
    return found


def _address(rng: random.Random, places: list[str]) -> str:
    road = rng.choice(_ROADS) + rng.choice(_DIRECTIONS) + rng.choice(_KINDS)
    text = f"{rng.choice(places)}{road}{rng.randint(1, 1999)}号"
    if rng.random() < 1 / 2:
        text += "".join(rng.sample(_ESTATES, 2)) + rng.choice(_ESTATE_KINDS)
        if rng.random() < 1 / 3:
            room = f"{rng.randint(1, 33)}{rng.randint(1, 4):02d}"
            text += f"{rng.randint(1, 40)}号楼{rng.randint(1, 6)}单元{room}室"
    return text
