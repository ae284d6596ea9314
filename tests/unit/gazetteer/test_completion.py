"""What the gazetteer adds, what it leaves alone, and what it reports."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.gazetteer.completion import Completion, default_completer
from consumer.gazetteer.divisions import load_divisions
from consumer.gazetteer.names import FORMER_CITIES, FORMER_DISTRICTS, stem
from consumer.parser.normalise import readable
from contracts.components import COMPONENT_TYPES
from contracts.events import Component

NAMES = {"prov": "province", "city": "city", "district": "district"}


def complete(*pieces: tuple[str, str]) -> Completion:
    components, position = [], 0
    for kind, text in pieces:
        components.append(
            Component(
                type=kind, text=text, start=position, end=position + len(text), confidence=0.9
            )
        )
        position += len(text)
    return default_completer().complete(components)


def said(written: str) -> Completion:
    """``city=杭州市 district=余杭区`` as components."""
    pieces = [piece.partition("=") for piece in written.split()]
    return complete(*((kind, text) for kind, _, text in pieces))


@pytest.mark.parametrize(
    ("written", "prov", "city", "district", "inferred", "adcode"),
    [
        ("city=北京市 district=海淀区", "北京市", "北京市", "海淀区", "prov", "110108"),
        ("prov=上海市 district=浦东新区", "上海市", "上海市", "浦东新区", "city", "310115"),
        ("prov=山东 city=青岛", "山东省", "青岛市", None, "prov city", "370200"),
        ("city=杭州市", "浙江省", "杭州市", None, "prov", "330100"),
        ("district=海淀区", "北京市", "北京市", "海淀区", "prov city", "110108"),
        ("district=海淀", "北京市", "北京市", "海淀区", "prov city district", "110108"),
        ("prov=重庆市 district=云阳县", "重庆市", "重庆市", "云阳县", "city", "500235"),
        ("prov=内蒙古 city=呼和浩特", "内蒙古自治区", "呼和浩特市", None, "prov city", "150100"),
        ("prov=广西 city=桂林市", "广西壮族自治区", "桂林市", None, "prov", "450300"),
        ("city=延边", "吉林省", "延边朝鲜族自治州", None, "prov city", "222400"),
        ("city=恩施", "湖北省", "恩施土家族苗族自治州", None, "prov city", "422800"),
        ("prov=吉林 city=吉林", "吉林省", "吉林市", None, "prov city", "220200"),
        ("prov=香港 district=九龙城区", "香港特别行政区", None, "九龙城区", "prov", "810007"),
        ("prov=澳门特别行政区", "澳门特别行政区", None, None, "", "820000"),
        ("prov=台湾省 city=台北市 district=中正区", "台湾省", "台北市", "中正区", "", "710000"),
        ("city=⻄安市", "陕西省", "西安市", None, "prov", "610100"),
    ],
)  # fmt: skip
def test_what_is_missing_is_filled_in_where_it_is_certain(
    written: str,
    prov: str | None,
    city: str | None,
    district: str | None,
    inferred: str,
    adcode: str,
) -> None:
    result = said(written)
    found = (result.address.get("prov"), result.address.get("city"), result.address.get("district"))
    assert found == (prov, city, district)
    assert result.inferred == tuple(inferred.split())
    assert result.adcode == adcode
    assert result.issues == ()


@pytest.mark.parametrize(
    ("written", "adcode"),
    [
        ("city=中山市 town=小榄镇", "442000"),
        ("city=中山市 district=东区", "442000"),
        ("city=东莞市 town=长安镇", "441900"),
        ("city=儋州市 town=那大镇", "460400"),
        ("city=嘉峪关市 town=峪泉镇", "620200"),
    ],
)
def test_cities_without_districts_end_at_the_city(written: str, adcode: str) -> None:
    result = said(written)
    assert result.adcode == adcode
    assert result.issues == ()


@pytest.mark.parametrize(
    ("written", "prov", "city", "adcode"),
    [
        ("prov=河南省 district=济源市", "河南省", None, "419001"),
        ("city=济源市", "河南省", "济源市", "419001"),
        ("city=仙桃市", "湖北省", "仙桃市", "429004"),
        ("prov=海南省 district=陵水黎族自治县", "海南省", None, "469028"),
        ("prov=新疆 city=石河子市", "新疆维吾尔自治区", "石河子市", "659001"),
    ],
)
def test_units_that_answer_to_the_province_have_no_city_above_them(
    written: str, prov: str, city: str | None, adcode: str
) -> None:
    result = said(written)
    assert result.address["prov"] == prov
    assert result.address.get("city") == city
    assert result.adcode == adcode


@pytest.mark.parametrize(
    "name",
    ["鼓楼区", "朝阳区", "朝阳", "西湖区", "新华区", "城区", "矿区", "东区", "海南", "海州区"],
)
def test_an_ambiguous_name_is_never_guessed(name: str) -> None:
    kind = "city" if name == "海南" else "district"
    result = complete((kind, name))
    assert result.address == {kind: name}
    assert (result.inferred, result.adcode, result.issues) == ((), None, ())


@pytest.mark.parametrize(
    ("city", "adcode"),
    [("南京市", "320106"), ("徐州市", "320302"), ("福州市", "350102"), ("开封市", "410204")],
)
def test_an_ambiguous_district_is_certain_inside_its_city(city: str, adcode: str) -> None:
    assert complete(("city", city), ("district", "鼓楼区")).adcode == adcode


@pytest.mark.parametrize(
    ("written", "issue", "adcode"),
    [
        ("city=杭州市 district=海淀区", "district_not_in_city", "330100"),
        ("prov=浙江省 district=海淀区", "district_not_in_prov", "330000"),
        ("prov=浙江省 city=苏州市 district=姑苏区", "city_not_in_prov", "330000"),
        ("prov=江苏省 city=上海市", "city_not_in_prov", "320000"),
    ],
)
def test_a_contradiction_is_reported_and_left_as_it_is(
    written: str, issue: str, adcode: str
) -> None:
    result = said(written)
    pieces = {kind: text for kind, _, text in (p.partition("=") for p in written.split())}
    assert {kind: result.address[kind] for kind in pieces} == pieces
    assert result.issues == (issue,)
    assert result.adcode == adcode


@pytest.mark.parametrize(
    ("written", "issue", "adcode"),
    [
        ("city=襄樊市", "city_renamed", "420600"),
        ("city=北京市 district=崇文区", "district_renamed", "110101"),
        ("district=闸北区", "district_renamed", "310106"),
        ("city=哈尔滨市 district=太平区", "district_renamed", "230104"),
        ("city=杭州市 district=萧山市", "district_renamed", "330109"),
        ("city=西安市 district=长安县", "district_renamed", "610116"),
    ],
)
def test_a_former_name_is_understood_and_kept(written: str, issue: str, adcode: str) -> None:
    result = said(written)
    assert result.address[issue.removesuffix("_renamed")] == written.rpartition("=")[2]
    assert result.issues == (issue,)
    assert result.adcode == adcode


def test_a_county_level_city_said_as_a_city_narrows_the_code() -> None:
    alone = complete(("city", "义乌市"))
    assert alone.address == {"prov": "浙江省", "city": "义乌市"}
    both = complete(("city", "金华市"), ("city", "义乌市"))
    assert both.address == {"prov": "浙江省", "city": "金华市"}
    assert alone.adcode == both.adcode == "330782"


def test_a_province_in_the_name_of_a_road_is_a_road() -> None:
    result = complete(("city", "上海市"), ("road", "陕西北路"), ("roadno", "1号"))
    assert result.address["prov"] == "上海市"
    assert result.address["road"] == "陕西北路"
    assert complete(("road", "南京东路")).address == {"road": "南京东路"}


def test_the_first_span_of_a_type_is_the_flat_one_and_invisible_characters_are_left_out() -> None:
    result = complete(("poi", "大\u200b厦 "), ("poi", "商场"), ("roadno", "１２号"))
    assert result.address == {"poi": "大厦", "roadno": "12号"}


def test_an_unknown_city_stops_all_guessing() -> None:
    result = complete(("city", "杭洲市"), ("district", "海淀区"))
    assert result.address == {"city": "杭洲市", "district": "海淀区"}
    assert (result.inferred, result.adcode) == ((), None)


def test_every_former_name_leads_to_a_unit_of_today() -> None:
    names = {(unit.level, unit.name) for unit in load_divisions()}
    assert all(("city", new) in names for new in FORMER_CITIES.values())
    for city, old, _ in FORMER_DISTRICTS:
        kind = "prov" if city in {"北京市", "天津市", "上海市", "重庆市"} else "city"
        result = complete((kind, city), ("district", old))
        assert result.issues == ("district_renamed",), old


def test_every_unit_completes_to_its_own_code_in_its_own_place() -> None:
    units = {unit.code: unit for unit in load_divisions() if unit.level != "town"}
    for unit in units.values():
        line = [unit]
        while line[0].parent_code:
            line.insert(0, units[line[0].parent_code])
        kinds = {"province": "prov", "city": "city", "district": "district"}
        result = complete(*((kinds[u.level], u.name) for u in line))
        expected = next(u.code for u in reversed(line) if u.code.isdigit())
        assert result.adcode == expected, unit
        assert result.issues == (), unit
        assert all(result.address[kinds[u.level]] == u.name for u in line)


def test_stems_leave_out_suffixes_and_peoples() -> None:
    names = ["青岛市", "内蒙古自治区", "陵水黎族自治县", "巴音郭楞蒙古自治州", "浦东新区", "东区"]
    assert [stem(name) for name in names] == ["青岛", "内蒙古", "陵水", "巴音郭楞", "浦东", None]


UNIT_NAMES = sorted({unit.name for unit in load_divisions() if unit.level != "town"})
pieces = st.tuples(
    st.sampled_from(COMPONENT_TYPES),
    st.one_of(st.sampled_from(UNIT_NAMES), st.text(min_size=1, max_size=6)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=8))
def test_the_gazetteer_never_overrules_the_text(written: list[tuple[str, str]]) -> None:
    result = complete(*written)
    first: dict[str, Any] = {}
    for kind, text in written:
        first.setdefault(kind, readable(text))
    for kind, text in first.items():
        if kind in result.inferred:
            assert result.address[kind].startswith(text)
        else:
            assert result.address[kind] == text
    assert set(result.address) - set(first) <= set(result.inferred)
    assert set(result.inferred) <= {"prov", "city", "district"}
    assert result.adcode is None or (len(result.adcode) == 6 and result.adcode.isdigit())
