"""The layouts that came with the second month's data: malls, firms inside, dormitories, wards."""

from __future__ import annotations

import random
from typing import Final

from consumer.starter.generator import places, stock, units
from consumer.starter.generator.beside import assist, beside
from consumer.starter.generator.layout import Family, Near, perhaps
from consumer.starter.generator.lexicon import Lexicon
from consumer.starter.generator.numbers import hanzi, letter, room_number, small
from consumer.starter.generator.pieces import Piece, Pieces
from consumer.starter.generator.roads import numbered_road, road, road_number
from consumer.starter.generator.rural import group, settlement_name, village

_SHORT_STREETS: Final = [
    "东街",
    "西街",
    "南街",
    "北街",
    "中街",
    "大街",
    "新街",
    "老街",
    "正街",
    "横街",
    "后街",
    "前街",
    "上街",
    "下街",
    "东大街",
    "西大街",
    "南大街",
    "北大街",
    "中心街",
    "中心路",
    "东路",
    "西路",
    "南路",
    "北路",
    "环路",
    "新路",
    "大路",
    "集镇",
    "市场路",
    "车站路",
    "邮电路",
    "教育路",
    "医院路",
    "工业路",
    "商业街",
    "步行街",
    "农贸街",
    "桥头",
    "渡口",
]
_VILLAGE_PLACES: Final = [
    "村委会",
    "村民委员会",
    "小学",
    "卫生室",
    "祠堂",
    "文化礼堂",
    "菜市场",
    "村口",
    "老年活动中心",
    "活动中心",
    "便利店",
    "超市",
    "加油站",
    "大桥",
    "桥头",
    "水库",
    "茶厂",
    "砖瓦厂",
    "粮站",
    "供销社",
    "小卖部",
    "党群服务中心",
    "幼儿园",
    "土地庙",
    "停车场",
    "养老院",
]
_VILLAGE_ESTATES: Final = [
    "安置小区",
    "安置房",
    "新村",
    "新农村",
    "公寓",
    "小区",
    "花园",
    "别墅",
    "排屋",
    "商住楼",
    "安居房",
    "农民公寓",
    "拆迁安置区",
    "农居",
    "农居点",
    "农民新村",
    "拆迁小区",
]


_KNOWN_ROADS: Final = [
    "中关村大街",
    "中关村南大街",
    "中关村东路",
    "王府井大街",
    "西单北大街",
    "长安街",
    "东长安街",
    "三里屯路",
    "平安里西大街",
    "学院南路",
    "知春路",
    "南京西路",
    "淮海中路",
    "四川北路",
    "西藏中路",
    "延安西路",
    "河南南路",
    "陕西南路",
    "江苏路",
    "浙江中路",
    "福州路",
    "北京东路",
    "北京路步行街",
    "上下九步行街",
    "春熙路",
    "天府大道",
    "武侯祠大街",
    "解放碑步行街",
    "观音桥步行街",
    "太古里",
    "香港中路",
    "澳门路",
    "台湾路",
    "深南大道",
    "滨河大道",
    "华强北路",
    "珠江新城",
    "中山七路",
    "东风西路",
    "江汉路",
    "司门口",
    "光谷步行街",
    "五一大道",
    "湖南路",
    "新街口",
    "夫子庙",
    "观前街",
    "十全街",
    "延安路",
    "湖滨路",
    "河坊街",
    "庆春路",
    "凤起路",
    "中央大街",
    "红军街",
    "斯大林大街",
    "人民大街",
    "太原街",
    "中街",
    "青年大街",
    "石家庄路",
    "牡丹江路",
    "哈密路",
    "吐鲁番路",
    "西宁路",
    "海南路",
    "云南北路",
    "安徽路",
    "贵州路",
    "广西北路",
]


def road_of_village(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """石家村大街1号: a village inside the name of a road is part of the road"""
    if rng.random() < 0.2:
        name = rng.choice(lex.own(_KNOWN_ROADS))
    else:
        name = settlement_name(rng, lex)[:3] + rng.choice("村村村村庄镇屯桥门店口营")
        name += rng.choice(
            (
                "大街",
                "南大街",
                "北大街",
                "东大街",
                "西大街",
                "路",
                "东路",
                "西路",
                "南路",
                "北路",
                "中路",
                "大道",
                "街",
                "一街",
                "二路",
                "南街",
                "步行街",
                "老街",
                "巷",
                "胡同",
            )
        )
    pieces = [Piece("road", name), *perhaps(rng, 0.85, [Piece("roadno", road_number(rng))])]
    draw = rng.random()
    if draw < 0.5:
        pieces.append(Piece("poi", places.place(rng, lex, near)))
        pieces += perhaps(rng, 0.4, units.office(rng))
    elif draw < 0.65:
        pieces += units.home(rng)
    return pieces


def mall_shop(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """万达广场3楼优衣库, 银泰百货1F-12号星巴克"""
    pieces = perhaps(rng, 0.45, numbered_road(rng, lex, near))
    pieces.append(
        Piece("poi", (places.building if rng.random() < 0.6 else places.market)(rng, lex, near))
    )
    draw = rng.random()
    if draw < 0.55:
        pieces.append(Piece("floorno", units.floor(rng)))
        pieces += perhaps(rng, 0.25, [Piece("roomno", units.stall(rng))])
    elif draw < 0.75:
        pieces.append(Piece("roomno", units.stall(rng)))
    elif draw < 0.85:
        pieces.append(Piece("subpoi", places.block(rng)))
    pieces.append(Piece("subpoi", places.shop(rng, lex, near)))
    return pieces


def firm_inside(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号国际大厦A座1201室鑫隆服饰有限公司"""
    pieces = perhaps(rng, 0.7, numbered_road(rng, lex, near))
    host = places.building if rng.random() < 0.7 else places.industrial_estate
    pieces.append(Piece("poi", host(rng, lex, near)))
    return [*pieces, *units.office(rng), Piece("subpoi", places.company(rng, lex, near))]


def firm(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """Only a firm, as parcels to offices are addressed"""
    pieces = perhaps(rng, 0.3, road(rng, lex, near))
    pieces.append(Piece("poi", places.company(rng, lex, near)))
    draw = rng.random()
    if draw < 0.25:
        pieces += units.office(rng)
    elif draw < 0.4:
        pieces.append(Piece("subpoi", rng.choice(stock.FUNCTIONS)))
    elif draw < 0.47:
        pieces += beside(rng)
    return pieces


def joined_home(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """翠苑小区东区12-3-1001, with or without a road"""
    pieces = perhaps(rng, 0.4, road(rng, lex, near))
    pieces.append(Piece("poi", places.estate(rng, lex, near)))
    pieces += perhaps(rng, 0.25, [Piece("subpoi", places.block(rng))])
    return [*pieces, *units.run_together(rng)]


def plain_place(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号檀宫5幢101: a place whose name does not say what it is"""
    pieces = perhaps(rng, 0.6, numbered_road(rng, lex, near))
    name = places.stem(rng, lex, ())
    if rng.random() < 0.3:
        name += rng.choice(lex.word)
    pieces.append(Piece("poi", name))
    return [*pieces, *(units.home(rng) if rng.random() < 0.65 else units.office(rng))]


def village_home(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """塘头村安置小区3幢2单元301, 塘头村李家安置房3幢"""
    pieces = [Piece("community", village(rng, lex))]
    name = settlement_name(rng, lex) if rng.random() < 0.6 else ""
    pieces.append(Piece("poi", name + rng.choice(_VILLAGE_ESTATES)))
    return [*pieces, *units.home(rng)]


def village_place(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """塘头村村委会对面"""
    pieces = [Piece("community", village(rng, lex))]
    pieces += perhaps(rng, 0.12, [Piece("village_group", group(rng))])
    name = settlement_name(rng, lex) if rng.random() < 0.2 else ""
    pieces.append(Piece("poi", name + rng.choice(_VILLAGE_PLACES)))
    return pieces + perhaps(rng, 0.6, beside(rng))


def short_street(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """A town's plain streets: 东街12号, 中心路"""
    pieces = [Piece("road", rng.choice(lex.own(_SHORT_STREETS)))]
    pieces += perhaps(rng, 0.75, [Piece("roadno", road_number(rng))])
    draw = rng.random()
    if draw < 0.35:
        pieces.append(Piece("poi", places.place(rng, lex, near)))
    elif draw < 0.45:
        pieces += beside(rng)
    elif draw < 0.6:
        pieces += units.home(rng)
    return pieces


def ward(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """第一人民医院住院部12楼护士站, 第三中学高二(3)班"""
    if rng.random() < 0.55:
        pieces = [Piece("poi", places.clinic(rng, lex, near))]
        pieces += perhaps(
            rng,
            0.7,
            [
                Piece(
                    "subpoi",
                    rng.choice(
                        (
                            "住院部",
                            "门诊部",
                            "急诊部",
                            "门诊楼",
                            "住院楼",
                            "综合楼",
                            "体检中心",
                            "新院区",
                            "东院区",
                        )
                    ),
                )
            ],
        )
        pieces += perhaps(rng, 0.6, [Piece("floorno", units.floor(rng))])
        part = rng.choice(
            (
                "护士站",
                "内科",
                "外科",
                "妇产科",
                "儿科",
                "骨科",
                "药房",
                "检验科",
                "放射科",
                "麻醉科",
                "眼科",
                "口腔科",
                "办公室",
                "ICU",
                "B超室",
                "收费处",
                "心内科",
                "神经外科",
                "中医科",
                "财务科",
            )
        )
        return pieces + perhaps(rng, 0.5, [Piece("subpoi", part)])
    pieces = perhaps(rng, 0.3, numbered_road(rng, lex, near))
    pieces.append(Piece("poi", places.school(rng, lex, near)))
    number = rng.choice((str(small(rng, 20)), hanzi(small(rng, 12))))
    year = (
        rng.choice("一二三四五六")
        if rng.random() < 0.5
        else rng.choice(("初一", "初二", "初三", "高一", "高二", "高三", "七", "八", "九"))
    )
    grade = year if year[0] in "初高" else year + rng.choice(("年级", "", "年"))
    if rng.random() < 0.4:
        return [
            *pieces,
            Piece("subpoi", rng.choice(stock.FUNCTIONS)),
            *perhaps(rng, 0.4, units.office(rng)),
        ]
    return [
        *pieces,
        Piece("subpoi", f"{grade}{rng.choice((f'({number})', f'（{number}）', number))}班"),
    ]


def dormitory(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """鑫隆服饰有限公司宿舍楼302"""
    maker = rng.choice((places.company, places.factory, places.school, places.office))
    pieces = perhaps(rng, 0.4, numbered_road(rng, lex, near))
    pieces.append(Piece("poi", maker(rng, lex, near)))
    word = rng.choice(
        (
            "宿舍",
            "宿舍楼",
            "员工宿舍",
            "职工宿舍",
            "家属楼",
            "家属院",
            "家属区",
            "生活区",
            "公寓",
            "集体宿舍",
        )
    )
    pieces.append(Piece("subpoi", word))
    return pieces + perhaps(rng, 0.8, units.home(rng))


def way_out(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """地铁2号线丰潭路站B口, 长途汽车站出口处"""
    if rng.random() < 0.6:
        line = rng.choice(("地铁", "轻轨", "地铁站")) if rng.random() < 0.5 else ""
        line += f"{small(rng, 18)}号线" if line and rng.random() < 0.6 else ""
        pieces = [
            Piece("poi", line + places.stem(rng, lex, near) + rng.choice(("站", "地铁站", "路站")))
        ]
        way = rng.choice(
            (
                f"{letter(rng, 'D')}口",
                f"{letter(rng, 'D')}出口",
                f"{letter(rng, 'D')}{small(rng, 3)}口",
                f"{small(rng, 6)}号口",
                f"{small(rng, 6)}号出口",
            )
        )
        pieces += perhaps(rng, 0.7, [Piece("subpoi", way)])
    else:
        pieces = [Piece("poi", places.landmark(rng, lex, near))]
    return pieces + perhaps(rng, 0.5, [assist(rng)])


def next_to_number(rng: random.Random, lex: Lexicon, near: Near) -> Pieces:
    """文一路12号旁鑫隆五金店, 文一路12号内3幢"""
    pieces = [*numbered_road(rng, lex, near), assist(rng)]
    if rng.random() < 0.7:
        return [*pieces, Piece("poi", places.place(rng, lex, near))]
    return [
        *pieces,
        Piece("houseno", units.house(rng)),
        *perhaps(rng, 0.6, [Piece("roomno", room_number(rng))]),
    ]


MORE: Final = (
    Family("mall shop", 2.5, mall_shop, since=2),
    Family("firm inside", 2.5, firm_inside, since=2),
    Family("firm", 3.0, firm, since=2),
    Family("joined home", 4.0, joined_home, since=2),
    Family("plain place", 3.0, plain_place, since=2),
    Family("village home", 1.5, village_home, since=2),
    Family("village place", 1.5, village_place, since=2),
    Family("short street", 2.0, short_street, since=2),
    Family("ward", 1.5, ward, since=2),
    Family("dormitory", 1.2, dormitory, since=2),
    Family("way out", 1.0, way_out, since=2),
    Family("road of village", 3.0, road_of_village, since=2),
    Family("next to number", 1.0, next_to_number, since=2),
)
