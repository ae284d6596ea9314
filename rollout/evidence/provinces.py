"""The names that a slice may have: those of the provinces, and none for everything else. Pure.

A slice's name stands in the state, the audit and the report. A model can tag any text as a
province, and texts of addresses must never come to stand there.
"""

from __future__ import annotations

from typing import Final

PROVINCES: Final = frozenset(
    [
        "北京市",
        "天津市",
        "上海市",
        "重庆市",
        "河北省",
        "山西省",
        "辽宁省",
        "吉林省",
        "黑龙江省",
        "江苏省",
        "浙江省",
        "安徽省",
        "福建省",
        "江西省",
        "山东省",
        "河南省",
        "湖北省",
        "湖南省",
        "广东省",
        "海南省",
        "四川省",
        "贵州省",
        "云南省",
        "陕西省",
        "甘肃省",
        "青海省",
        "台湾省",
        "内蒙古自治区",
        "广西壮族自治区",
        "西藏自治区",
        "宁夏回族自治区",
        "新疆维吾尔自治区",
        "香港特别行政区",
        "澳门特别行政区",
    ]
)
"""As the flat view writes them out. A test holds them to the gazetteer."""


def slice_of(province: str | None) -> str:
    """The slice of an address, by its province; empty where that is none that there is."""
    return province if province is not None and province in PROVINCES else ""
