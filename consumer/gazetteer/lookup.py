"""Finding divisions by the name that stands in an address.

Answers with every unit that the name can mean; choosing among them is the caller's rule.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from consumer.gazetteer.divisions import Division, Level
from consumer.gazetteer.names import (
    FORMER_CITIES,
    FORMER_DISTRICTS,
    OTHER_PROVINCE_NAMES,
    comparable,
    stem,
)


class Match(NamedTuple):
    """What one written name can mean."""

    units: tuple[Division, ...]
    former: bool = False
    """The name is one that its unit no longer bears."""


class Gazetteer:
    """The units down to the district level, by name. Immutable."""

    def __init__(self, divisions: Iterable[Division]) -> None:
        """Index the units; towns are left out: a name of theirs proves no district."""
        units = [unit for unit in divisions if unit.level != "town"]
        self._by_code = {unit.code: unit for unit in units}
        self._names: dict[tuple[Level, str], list[Division]] = defaultdict(list)
        self._stems: dict[tuple[Level, str], list[Division]] = defaultdict(list)
        self._with_districts: set[str] = set()
        for unit in units:
            self._names[unit.level, unit.name].append(unit)
            short = stem(unit.name)
            if short is not None:
                self._stems[unit.level, short].append(unit)
            if unit.level == "district":
                self._with_districts.add(unit.parent_code)
        self._former = self._find_former()
        facts = [f"{u.code} {u.name} {u.level} {u.parent_code}" for u in units]
        facts += [str(table) for table in (OTHER_PROVINCE_NAMES, FORMER_CITIES, FORMER_DISTRICTS)]
        self.digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
        """Over everything that an answer depends on."""

    def _find_former(self) -> dict[str, list[Division]]:
        former: dict[str, list[Division]] = defaultdict(list)
        for old, new in FORMER_CITIES.items():
            former[old].extend(self._names.get(("city", new), []))
        for city, old, new in FORMER_DISTRICTS:
            former[old].extend(
                unit
                for unit in self._names.get(("district", new), [])
                if self._by_code[unit.parent_code].name == city
            )
        return former

    def line(self, unit: Division) -> tuple[Division, ...]:
        """The unit and what it lies in, from the province down to itself."""
        upwards = [unit]
        while upwards[-1].parent_code:
            upwards.append(self._by_code[upwards[-1].parent_code])
        return tuple(reversed(upwards))

    def contains(self, outer: Division, inner: Division) -> bool:
        """Whether ``inner`` is ``outer`` or lies in it."""
        code = inner.code
        while code and code != outer.code:
            code = self._by_code[code].parent_code
        return bool(code)

    def has_districts(self, unit: Division) -> bool:
        """False for 东莞, 中山, 儋州, 嘉峪关: their towns lie in the city itself."""
        return unit.code in self._with_districts

    def provinces(self, text: str) -> Match:
        """Units that a province's name can mean."""
        name = comparable(text)
        name = OTHER_PROVINCE_NAMES.get(name, name)
        return Match(tuple(self._named("province", name)))

    def cities(self, text: str) -> Match:
        """Units that a city's name can mean: municipalities, prefectures, county-level cities."""
        name = comparable(text)
        exact = [
            *(u for u in self._names.get(("province", name), []) if is_municipality(u)),
            *self._names.get(("city", name), []),
        ] or self._names.get(("district", name), [])
        if exact:
            return Match(tuple(exact))
        if name in self._former:
            return Match(tuple(self._former[name]), former=True)
        # A bare 吉林 or 海南 may be the province as well as the city.
        short = [*self._stems.get(("province", name), []), *self._stems.get(("city", name), [])]
        if short:
            return Match(tuple(short))
        for suffix in ("市", "地区"):
            if name + suffix in self._former:
                return Match(tuple(self._former[name + suffix]), former=True)
        county_cities = self._names.get(("district", f"{name}市"))
        return Match(tuple(county_cities)) if county_cities else self.provinces(text)

    def districts(self, text: str) -> Match:
        """Units that a district's name can mean, county-level cities among them."""
        name = comparable(text)
        exact = self._names.get(("district", name)) or self._names.get(("city", name))
        if exact:
            return Match(tuple(exact))
        return Match(
            (*self._stems.get(("district", name), ()), *self._stems.get(("city", name), ()))
        )

    def former_districts(self, text: str) -> Match:
        """Districts that another district has become part of."""
        return Match(tuple(self._former.get(comparable(text), ())), former=True)

    def promoted(self, text: str) -> Match:
        """Districts that bear the stem of a county or county-level city that is no more."""
        name = comparable(text)
        if not name.endswith(("县", "市")):
            return Match(())
        short = stem(name)
        units = self._stems.get(("district", short), []) if short is not None else []
        return Match(tuple(units), former=True)

    def _named(self, level: Level, name: str) -> list[Division]:
        return self._names.get((level, name)) or self._stems.get((level, name)) or []


def is_municipality(unit: Division) -> bool:
    """北京, 天津, 上海, 重庆: cities that are provinces of their own."""
    return unit.level == "province" and unit.name.endswith("市")
