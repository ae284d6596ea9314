"""How the names of divisions are written: stems without their suffix, former names.

Pure text and tables. Former names are public record (the State Council's approvals of
changes of divisions, 1994 to 2021); only those whose successor is one whole unit stand here.
"""

from __future__ import annotations

import re
from typing import Final

# Peoples whose names stand between a stem and its suffix: 延边朝鲜族自治州 is "延边".
_PEOPLES: Final = (
    "阿昌|白|保安|布朗|布依|藏|朝鲜|傣|达斡尔|德昂|东乡|侗|独龙|鄂伦春|鄂温克|高山|仡佬|哈尼|哈萨克|赫哲"
    "|回|基诺|京|景颇|柯尔克孜|拉祜|黎|傈僳|珞巴|满|毛南|门巴|蒙古|苗|仫佬|纳西|怒|普米|羌|撒拉|畲|水"
    "|塔吉克|塔塔尔|土家|土|佤|维吾尔|乌孜别克|锡伯|瑶|彝|裕固|壮"
)
_AUTONOMOUS: Final = re.compile(
    # 陵水黎族自治县 is 陵水, though there is a people called 水: short names need their 族.
    rf"(?P<stem>.{{2,}}?)(?:各族|(?:(?:{_PEOPLES})族|维吾尔|哈萨克|柯尔克孜|蒙古|锡伯|塔吉克)*)"
    r"(?:自治区|自治州|自治县|自治旗)"
)
_SUFFIXES: Final = (
    "特别行政区", "行政委员会", "地区", "林区", "特区", "新区", "省", "市", "盟", "县", "区", "旗",
)  # fmt: skip
_SHORTEST_STEM: Final = 2

_VARIANTS: Final = str.maketrans("臺灣縣區別鄉鎮", "台湾县区别乡镇")


def stem(name: str) -> str | None:
    """The name without its suffix, as people say it; None when that leaves too little.

    ``青岛市`` is ``青岛``, ``广西壮族自治区`` is ``广西``; ``东区`` has no stem.
    """
    match = _AUTONOMOUS.fullmatch(name)
    if match is not None:
        short = match["stem"]
    else:
        suffix = next((s for s in _SUFFIXES if name.endswith(s)), None)
        if suffix is None:
            return None
        short = name.removesuffix(suffix)
    return short if len(short) >= _SHORTEST_STEM else None


def comparable(text: str) -> str:
    """A written name as the table writes it: no spaces, the table's character variants."""
    return "".join(text.split()).translate(_VARIANTS)


OTHER_PROVINCE_NAMES: Final = {
    "内蒙": "内蒙古自治区",
    "内蒙古省": "内蒙古自治区",
    "内蒙古区": "内蒙古自治区",
    "广西省": "广西壮族自治区",
    "广西自治区": "广西壮族自治区",
    "西藏省": "西藏自治区",
    "宁夏省": "宁夏回族自治区",
    "宁夏自治区": "宁夏回族自治区",
    "新疆省": "新疆维吾尔自治区",
    "新疆自治区": "新疆维吾尔自治区",
    "香港特区": "香港特别行政区",
    "澳门特区": "澳门特别行政区",
}
"""What people write for a province beside its name and its stem."""

FORMER_CITIES: Final = {
    "襄樊市": "襄阳市",
    "思茅市": "普洱市",
    "思茅地区": "普洱市",
    "淮阴市": "淮安市",
    "荆沙市": "荆州市",
    "海东地区": "海东市",
    "毕节地区": "毕节市",
    "铜仁地区": "铜仁市",
    "昌都地区": "昌都市",
    "林芝地区": "林芝市",
    "山南地区": "山南市",
    "那曲地区": "那曲市",
    "日喀则地区": "日喀则市",
    "吐鲁番地区": "吐鲁番市",
    "哈密地区": "哈密市",
}
"""Former name of a prefecture-level unit: its name today."""

FORMER_DISTRICTS: Final = (
    ("北京市", "崇文区", "东城区"),
    ("北京市", "宣武区", "西城区"),
    ("天津市", "塘沽区", "滨海新区"),
    ("天津市", "汉沽区", "滨海新区"),
    ("天津市", "大港区", "滨海新区"),
    ("天津市", "蓟县", "蓟州区"),
    ("上海市", "南市区", "黄浦区"),
    ("上海市", "卢湾区", "黄浦区"),
    ("上海市", "闸北区", "静安区"),
    ("上海市", "南汇区", "浦东新区"),
    ("上海市", "南汇县", "浦东新区"),
    ("上海市", "川沙县", "浦东新区"),
    ("重庆市", "双桥区", "大足区"),
    ("重庆市", "万盛区", "綦江区"),
    ("重庆市", "开县", "开州区"),
    ("南京市", "白下区", "秦淮区"),
    ("南京市", "下关区", "鼓楼区"),
    ("苏州市", "沧浪区", "姑苏区"),
    ("苏州市", "平江区", "姑苏区"),
    ("苏州市", "金阊区", "姑苏区"),
    ("无锡市", "崇安区", "梁溪区"),
    ("无锡市", "南长区", "梁溪区"),
    ("无锡市", "北塘区", "梁溪区"),
    ("常州市", "戚墅堰区", "武进区"),
    ("南通市", "港闸区", "崇川区"),
    ("扬州市", "维扬区", "邗江区"),
    ("杭州市", "下城区", "拱墅区"),
    ("宁波市", "江东区", "鄞州区"),
    ("绍兴市", "绍兴县", "柯桥区"),
    ("厦门市", "开元区", "思明区"),
    ("厦门市", "鼓浪屿区", "思明区"),
    ("青岛市", "四方区", "市北区"),
    ("青岛市", "胶南市", "黄岛区"),
    ("许昌市", "许昌县", "建安区"),
    ("开封市", "金明区", "龙亭区"),
    ("洛阳市", "吉利区", "孟津区"),
    ("广州市", "东山区", "越秀区"),
    ("广州市", "芳村区", "荔湾区"),
    ("广州市", "萝岗区", "黄埔区"),
    ("海口市", "振东区", "美兰区"),
    ("海口市", "新华区", "龙华区"),
    ("成都市", "郫县", "郫都区"),
    ("西安市", "户县", "鄠邑区"),
    ("哈尔滨市", "动力区", "香坊区"),
    ("哈尔滨市", "太平区", "道外区"),
    ("沈阳市", "东陵区", "浑南区"),
    ("迪庆藏族自治州", "中甸县", "香格里拉市"),
)
"""(city, former district, the district it lies in today)."""
