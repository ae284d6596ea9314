"""What each class of trouble catches, and what looks like it and is none."""

from __future__ import annotations

import pytest

from contracts.events import AddressResult
from rollout.insights.detect import Thresholds, diagnose
from rollout.insights.tally import Tally
from tests.unit.insights.parsed import GOOD, batch, failed, result

REGION = (("prov", "浙江省"), ("city", "杭州市"), ("district", "西湖区"))
STREET = (("road", "文一路"), ("roadno", "98号"))

TROUBLED = {
    "no_province": result(("district", "鼓楼区"), *STREET),
    "region_conflict": result(
        ("prov", "浙江省"), ("district", "浦东新区"), *STREET, issues=("district_not_in_prov",)
    ),
    "unparsed_remainder": result(*REGION, *STREET, (None, "请放门口的柜子里")),
    "low_confidence": result(*REGION, *STREET, confidence=0.1),
    "duplicated_prefix": result(*REGION, *REGION, *STREET),
    "personal_data": result(*REGION, *STREET, (None, " 13812345678")),
    "foreign_text": result(*REGION, *STREET, ("poi", "Yellow Dragon Gymnasium")),
    "over_long": result(*REGION, *STREET, ("poi", "某" * 100)),
    "lookalike_characters": result(*REGION[:2], ("district", "⻄湖区"), *STREET),
    "several_addresses": result(
        *REGION, *STREET, (None, ";"), ("city", "宁波市"), ("district", "鄞州区"), *STREET
    ),
}


@pytest.mark.parametrize("code", TROUBLED)
def test_each_trouble_is_found_under_its_own_class_alone(code: str) -> None:
    assert diagnose(TROUBLED[code]).codes == {code}


def test_a_plain_address_has_no_trouble() -> None:
    assert diagnose(GOOD).findings == ()


@pytest.mark.parametrize(
    "innocent",
    [
        pytest.param(
            result(
                ("city", "北京市"),
                ("city", "北京市"),
                ("district", "海淀区"),
                inferred={"prov": "北京市"},
            ),
            id="a municipality is its own province",
        ),
        pytest.param(
            result(("city", "镇江"), ("district", "镇江新区"), inferred={"prov": "江苏省"}),
            id="a district named after its city",
        ),
        pytest.param(result(*REGION, ("poi", "西湖区西湖区医院")), id="a place named by a region"),
        pytest.param(
            result(
                *REGION,
                ("road", "文一路"),
                (None, "与"),
                ("road", "学院路"),
                ("intersection", "交叉口"),
            ),
            id="connecting words",
        ),
        pytest.param(result((None, "收货地址："), *REGION, *STREET), id="an opening"),
        pytest.param(result(*REGION, ("poi", "鲁迅先生故居")), id="a house named after a person"),
        pytest.param(result(*REGION, ("poi", "金属回收")), id="a word that ends in 收"),
        pytest.param(result(*REGION, ("poi", "SOHO现代城"), ("roomno", "A座")), id="initials"),
        pytest.param(result(*REGION, ("roomno", "１２０３室")), id="full-width digits"),
        pytest.param(
            result(*REGION, *STREET, ("assist", "旁"), ("poi", "杭州市西湖区政府")),
            id="a region's name within a place's",
        ),
    ],
)
def test_what_only_looks_like_trouble_is_left_alone(innocent: AddressResult) -> None:
    assert diagnose(innocent).findings == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("13812345678", "phone"),
        ("１３８１２３４５６７８", "phone"),
        ("+86 138-1234-5678", "phone"),
        ("0571-88888888", "phone"),
        ("电话:8888888", "phone"),
        ("11010519491231002X", "id_card"),
        ("somebody@example.com", "email"),
        ("张先生", "name"),
        ("欧阳女士", "name"),
        ("王小明收", "name"),
        ("李雷(收)", "name"),
        ("收件人：赵敏", "name"),
        ("韩梅梅", "name"),
    ],
)
def test_personal_data_is_told_by_kind(text: str, kind: str) -> None:
    found = diagnose(result(*REGION, *STREET, (None, " " + text)))
    assert {(one.code, one.detail) for one in found.findings} == {("personal_data", kind)}


@pytest.mark.parametrize("number", ["138123", "2381", "12345", "310"])
def test_numbers_of_houses_are_no_phones(number: str) -> None:
    assert diagnose(result(*REGION, ("roadno", number + "号"))).findings == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("⻄", "radical"),
        ("⼭", "radical"),
        ("\uf90a", "compatibility"),
        ("А", "homoglyph"),
        ("1O1", "homoglyph"),
        ("\u200b", "invisible"),
        ("\u202e", "invisible"),
    ],
)
def test_lookalikes_are_told_by_kind(text: str, kind: str) -> None:
    found = diagnose(result(*REGION, ("poi", "第" + text + "座")))
    assert {(one.code, one.detail) for one in found.findings} == {("lookalike_characters", kind)}


def test_a_text_too_long_to_be_parsed_is_over_long() -> None:
    assert diagnose(failed("text_too_long")).codes == {"over_long"}
    assert diagnose(failed("model_error")).codes == set()


def test_thresholds_decide() -> None:
    shaky = result(*REGION, *STREET, confidence=0.4)
    assert diagnose(shaky).findings == ()
    found = diagnose(shaky, Thresholds(low_confidence=0.6))
    assert {one.detail for one in found.findings} == {"prov", "city", "district", "road", "roadno"}


def test_what_another_class_explains_is_counted_there_alone() -> None:
    unsure = result(*REGION, *STREET, (None, " 13812345678"), confidence=0.1)
    assert diagnose(unsure).codes == {"personal_data"}


@pytest.mark.parametrize(
    ("text", "detail"),
    [("单号7712345678901", "number"), ("<br/>", "markup"), ("请放门口", "note")],
)
def test_what_a_model_took_for_a_place_is_still_a_remainder(text: str, detail: str) -> None:
    found = diagnose(result(*REGION, *STREET, (None, "，"), ("poi", text)))
    assert {(one.code, one.detail) for one in found.findings} == {("unparsed_remainder", detail)}


@pytest.mark.parametrize(
    "head", ["张伟13812345678 ", "张伟", "a@b.cn ", "诸葛亮先生收", "欧阳锋女士 "]
)
def test_what_no_model_has_read_is_counted_and_never_shown(head: str) -> None:
    long = head + "浙江省杭州市" * 200
    tally = Tally()
    tally.take(batch([failed("text_too_long", long)]))
    (counted,) = [one for one in tally.figures("x").classes if one.code == "over_long"]
    assert (counted.addresses, counted.examples) == (1, ())

    for_those_who_may = Tally(show_text=True)
    for_those_who_may.take(batch([failed("text_too_long", long)]))
    (counted,) = [one for one in for_those_who_may.figures("x").classes if one.addresses]
    assert [one.text for one in counted.examples] == [long]
