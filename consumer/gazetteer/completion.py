"""What the gazetteer adds to what the model said: pure, and never against the text.

The text's spans are facts. The gazetteer only fills what is missing, where it is certain,
writes names out in full, and reports contradictions without resolving them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from consumer.gazetteer.divisions import Division, load_divisions
from consumer.gazetteer.lookup import Gazetteer, Match, is_municipality
from consumer.gazetteer.names import comparable, stem
from consumer.parser.normalise import readable
from contracts.components import ADMINISTRATIVE_TYPES
from contracts.events import Component

COMPLETION_VERSION: Final = "1"
"""Part of a model's fingerprint: raise it with every change of a rule."""

_MEMORY: Final = 16_384
_LONGEST_REMEMBERED: Final = 64
"""Characters; real names are shorter, and the memory must stay small whatever comes."""

_NONE: Final = Match(())


@dataclass(frozen=True, slots=True)
class Completion:
    """The flat view of one address; fields as in ``AddressResult``."""

    address: dict[str, str]
    inferred: tuple[str, ...]
    adcode: str | None
    issues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is certain about the administrative part."""

    names: tuple[tuple[str, str], ...]
    inferred: tuple[str, ...]
    adcode: str | None
    issues: tuple[str, ...]


class Completer:
    """The completion rules over one gazetteer. Immutable but for a bounded memory of answers."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        """Rules over this gazetteer."""
        self._gazetteer = gazetteer
        # Most addresses share their first words with many others.
        self._judge = lru_cache(maxsize=_MEMORY)(self._judge_once)

    @property
    def digest(self) -> str:
        """Changes when the gazetteer's content does."""
        return self._gazetteer.digest

    def complete(self, components: Sequence[Component]) -> Completion:
        """The flat view: one string per type, the first span of it, completed.

        - Text is written with plain characters (``normalise.readable``); a name that lacks
          only its suffix (山东, 青岛) is written out when it is certain which unit it is.
        - A municipality is its own province and its own city. A known city names its
          province; a district names its city and province when only one district has that
          name where it can lie.
        - ``inferred`` names the keys that were added or written out; ``adcode`` is the code of
          the smallest unit that is certain.
        - ``issues``: ``city_not_in_prov``, ``district_not_in_city``, ``district_not_in_prov``;
          ``city_renamed``, ``district_renamed`` where a name is no longer in use.
        """
        address: dict[str, str] = {}
        further: list[str] = []
        for component in components:
            kind = component.type
            if kind not in address:
                address[kind] = readable(component.text)
            elif kind == "city":
                further.append(readable(component.text))
        said = (address.get("prov"), address.get("city"), address.get("district"))
        length = sum(len(text) for text in (*said, *further) if text is not None)
        judge = self._judge if length <= _LONGEST_REMEMBERED else self._judge_once
        verdict = judge(*said, tuple(further))
        if verdict.names:
            completed = dict(verdict.names)
            address = completed | {k: v for k, v in address.items() if k not in completed}
        return Completion(address, verdict.inferred, verdict.adcode, verdict.issues)

    def _judge_once(
        self, prov: str | None, city: str | None, district: str | None, further: tuple[str, ...]
    ) -> _Verdict:
        places = _Places(self._gazetteer)
        if prov is not None:
            places.state("prov", self._gazetteer.provinces(prov))
        if city is not None:
            places.state("city", self._gazetteer.cities(city))
        for text in further:
            # 金华市义乌市, both tagged as cities: the second only ever narrows.
            places.narrow(self._gazetteer.cities(text))
        if district is not None:
            places.state("district", self._find_district(district, places))
        return _write(places, {"prov": prov, "city": city, "district": district})

    def _find_district(self, text: str, places: _Places) -> Match:
        current = self._gazetteer.districts(text)
        former = self._gazetteer.former_districts(text)
        if not places.anchored:
            if not current.units:
                return former
            # 城区, 矿区, 东区: such a name means the one nearby, even where the table has one.
            return (
                current if stem(comparable(text)) or not comparable(text).endswith("区") else _NONE
            )
        # A county that became a district keeps its stem; without a place around it, an equal
        # stem would prove nothing.
        for match in (current, former, self._gazetteer.promoted(text)):
            if places.inside(match).units:
                return match
        return current


class _Places:
    """The units that the names read so far can mean together."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._gazetteer = gazetteer
        self.candidates: tuple[Division, ...] = ()
        self.issues: list[str] = []
        self._stated: list[str] = []
        self._open = True

    @property
    def anchored(self) -> bool:
        return bool(self.candidates)

    def inside(self, match: Match) -> Match:
        return Match(
            tuple(
                unit
                for unit in match.units
                if any(self._gazetteer.contains(outer, unit) for outer in self.candidates)
            ),
            match.former,
        )

    def _below(self, match: Match) -> Match:
        inside = self.inside(match)
        # After 吉林省, 吉林 is the city.
        below = tuple(unit for unit in inside.units if unit not in self.candidates)
        return Match(below, inside.former) if below else inside

    def state(self, kind: str, match: Match) -> None:
        """Take one more name of the text into account."""
        if not self._open:
            return
        upper = self._stated[-1] if self._stated else None
        if not match.units:
            # An unknown name: what it names cannot be told, nor what lies in it.
            self._open = False
            return
        fitting = self._below(match) if self.anchored else match
        if fitting.units:
            self.candidates = fitting.units
            self._stated.append(kind)
            if match.former:
                self.issues.append(f"{kind}_renamed")
        elif not self._has_no_districts() or kind != "district":
            self.issues.append(f"{kind}_not_in_{upper}")
            self._open = False

    def narrow(self, match: Match) -> None:
        fitting = self.inside(match).units
        if fitting and self._open:
            self.candidates = fitting

    def _has_no_districts(self) -> bool:
        return all(
            unit.level == "city" and not self._gazetteer.has_districts(unit)
            for unit in self.candidates
        )

    def certain(self) -> tuple[Division, ...]:
        """What all candidates lie in, from the province down; empty when nothing is certain."""
        lines = [self._gazetteer.line(unit) for unit in self.candidates]
        if not lines:
            return ()
        shared = []
        for units in zip(*lines, strict=False):
            if len({unit.code for unit in units}) > 1:
                break
            shared.append(units[0])
        return tuple(shared)


def _write(places: _Places, said: dict[str, str | None]) -> _Verdict:
    certain = places.certain()
    found: dict[str, Division] = {}
    for unit in certain:
        found["prov" if unit.level == "province" else unit.level] = unit
    province = found.get("prov")
    if province is not None and is_municipality(province):
        found["city"] = province
    names: dict[str, str] = {}
    inferred = []
    for kind in ADMINISTRATIVE_TYPES:
        text = said[kind]
        name = _name(kind, text, found.get(kind))
        if name is not None:
            names[kind] = name
            if name != text:
                inferred.append(kind)
    return _Verdict(
        names=tuple(names.items()),
        inferred=tuple(inferred),
        adcode=next((u.code for u in reversed(certain) if u.code.isdigit()), None),
        issues=tuple(places.issues),
    )


def _name(kind: str, text: str | None, unit: Division | None) -> str | None:
    if unit is None:
        return text
    if text is None:
        # A district is never added: 义乌市 may have been said as the city.
        return unit.name if kind != "district" else None
    return unit.name if unit.name.startswith(text) else text


@cache
def default_completer() -> Completer:
    """The completer over the packaged divisions, made once per process."""
    return Completer(Gazetteer(load_divisions()))
