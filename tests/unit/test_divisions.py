"""The packaged table of divisions holds what people write, and nothing that they don't."""

from __future__ import annotations

from collections import Counter

from consumer.gazetteer.divisions import LEVELS, load_divisions

BY_CODE = {unit.code: unit for unit in load_divisions()}
BY_NAME = {(unit.level, unit.name): unit for unit in load_divisions()}


def test_every_province_level_unit_is_there_once() -> None:
    provinces = [unit.name for unit in load_divisions() if unit.level == "province"]
    assert len(provinces) == len(set(provinces)) == 34


def test_every_parent_exists_and_stands_higher() -> None:
    for unit in load_divisions():
        if unit.level == "province":
            assert unit.parent_code == ""
        else:
            assert LEVELS.index(BY_CODE[unit.parent_code].level) < LEVELS.index(unit.level)


def test_names_of_the_statistics_own_grouping_never_appear() -> None:
    assert not [u for u in load_divisions() if "直辖" in u.name or u.name in {"市辖区", "县"}]


def test_cities_without_districts_hold_their_towns_directly() -> None:
    for name in ("东莞市", "中山市", "儋州市", "嘉峪关市"):
        city = BY_NAME["city", name]
        below = Counter(u.level for u in load_divisions() if u.parent_code == city.code)
        assert set(below) == {"town"}, name


def test_counties_that_answer_to_the_province_hang_under_it() -> None:
    for name, province in (
        ("济源市", "河南省"),
        ("仙桃市", "湖北省"),
        ("石河子市", "新疆维吾尔自治区"),
    ):
        assert BY_CODE[BY_NAME["district", name].parent_code].name == province


def test_districts_of_municipalities_and_special_regions_hang_under_them() -> None:
    assert BY_NAME["district", "海淀区"].parent_code == "110000"
    assert BY_NAME["district", "油尖旺区"].parent_code == "810000"
    assert BY_NAME["city", "台北市"].parent_code == "710000"


def test_order_and_codes_are_what_the_docstring_says() -> None:
    units = load_divisions()
    assert len(BY_CODE) == len(units)
    assert list(units) == sorted(units, key=lambda u: (LEVELS.index(u.level), u.code))
    assert BY_NAME["district", "海淀区"].code == "110108"
