"""The real names that addresses are composed from, split into those to fit and those to judge.

Owns the split: a name is held out by its own hash, so no list can put it on the other side.
Provinces, cities and districts are on both sides: a model has to know them all.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal

from consumer.gazetteer.divisions import Division, load_divisions

Split = Literal["train", "held_out"]

HELD_OUT_SHARE: Final = 0.1

_KINDS: Final = (
    "campus",
    "estate",
    "lane",
    "new_village",
    "road",
    "settlement",
    "village",
    "word",
    "works",
    "zone",
)


def is_held_out(name: str) -> bool:
    """Whether a name is kept for judging, by its own bytes alone."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def on_side(names: Iterable[str], split: Split) -> tuple[str, ...]:
    """Those of the names that belong to the split."""
    return tuple(name for name in names if is_held_out(name) == (split == "held_out"))


# The statistics also count development zones, farms and prisons as districts or towns.
_TOWN: Final = re.compile(r"^[一-龥]{1,12}(街道|街道办事处|镇|乡|苏木|地区办事处|地区)$")
_ZONE: Final = re.compile(
    r"开发区|高新区|园区|示范区|管理区|管委会|管理委员会|委员会|集聚区|产业|新城|群岛"
)


def _is_addressed(unit: Division) -> bool:
    """Whether people write the unit as a district or a town."""
    if unit.level == "town":
        return bool(_TOWN.match(unit.name)) and not _ZONE.search(unit.name)
    return unit.level != "district" or not _ZONE.search(unit.name)


@dataclass(frozen=True, slots=True)
class Place:
    """A unit of the gazetteer with what stands below it."""

    name: str
    level: str
    children: tuple[Place, ...]
    towns: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """All names of one split. The fields but ``provinces`` are flat lists of one kind each."""

    split: Split
    provinces: dict[str, Place]
    towns: tuple[str, ...]
    campus: tuple[str, ...]
    estate: tuple[str, ...]
    lane: tuple[str, ...]
    new_village: tuple[str, ...]
    road: tuple[str, ...]
    settlement: tuple[str, ...]
    village: tuple[str, ...]
    word: tuple[str, ...]
    works: tuple[str, ...]
    zone: tuple[str, ...]

    def own(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that belong to this split."""
        return on_side(names, self.split)


@cache
def lexicon(split: Split) -> Lexicon:
    """The names of a split; read once per process."""
    packed = resources.files("consumer.starter").joinpath("data", "names.tsv.gz").read_bytes()
    lists: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for line in gzip.decompress(packed).decode("utf-8").splitlines():
        kind, name = line.split("\t")
        lists[kind].append(name)
    below: dict[str, list[Division]] = defaultdict(list)
    for unit in load_divisions():
        below[unit.parent_code].append(unit)

    def grow(unit: Division) -> Place:
        units = [child for child in below[unit.code] if _is_addressed(child)]
        children = tuple(grow(child) for child in units if child.level != "town")
        towns = on_side((u.name for u in units if u.level == "town"), split)
        return Place(unit.name, unit.level, children, towns)

    return Lexicon(
        split=split,
        provinces={unit.name: grow(unit) for unit in below[""]},
        towns=on_side(
            (u.name for u in load_divisions() if u.level == "town" and _is_addressed(u)), split
        ),
        **{kind: on_side(names, split) for kind, names in lists.items()},
    )
