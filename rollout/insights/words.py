"""The words by which detectors know people, connecting words and doubled place names. Data only."""

from __future__ import annotations

from typing import Final

SURNAMES: Final = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓韩冯曹彭曾萧肖田董潘袁蔡蒋余于杜叶程魏苏吕"
    "丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛阎段雷龙黎史陶贺毛郝顾龚邵万覃武钱"
    "戴严莫孔向汤俞温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦柳左甘祝包宁尚符舒阮"
    "柯纪梅童凌毕单季成霍苗裴涂谷曲盛冉翁蓝骆路游靳管柴蒙鲍华喻祁房蒲滕屈饶解牟艾尤阳穆农司卓古吉"
    "缪简车项连芦麦褚娄窦戚岑党宫费卜冷晏席卫米柏宗桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑"
    "丛虞敖欧"
)
"""The commonest family names of one character."""

DOUBLE_SURNAMES: Final = (
    "欧阳",
    "上官",
    "司马",
    "诸葛",
    "司徒",
    "皇甫",
    "令狐",
    "东方",
    "尉迟",
    "夏侯",
)

HONORIFICS: Final = ("先生", "女士", "小姐", "太太")
"""Titles that shops do not bear: 冯师傅 is one."""

NO_RECEIVER: Final = (
    "回收",
    "丰收",
    "征收",
    "接收",
    "吸收",
    "税收",
    "验收",
    "秋收",
    "夏收",
    "营收",
)
"""Words that end in 收 and name nobody."""

NAME_LABELS: Final = ("收件人", "收货人", "联系人", "收信人", "寄件人", "姓名", "签收人")

PHONE_LABELS: Final = (
    "电话",
    "手机",
    "联系方式",
    "联系电话",
    "手机号",
    "手机号码",
    "tel",
    "phone",
    "mobile",
)

CONNECTING: Final = (
    *(
        "与",
        "和",
        "跟",
        "同",
        "及",
        "之",
        "的",
        "一",
        "至",
        "到",
        "在",
        "号",
        "交",
        "内",
        "中国",
        "市辖区",
        "县辖区",
    ),
    *(
        "地址",
        "收货地址",
        "收件地址",
        "详细地址",
        "住址",
        "家庭地址",
        "通讯地址",
        "联系地址",
        "公司地址",
    ),
    *NAME_LABELS,
    *PHONE_LABELS,
    *("亲收", "签收", "收"),
    *("所在地区", "所在地", "送到", "送至", "寄往", "寄到", "寄至", "邮编", "中华人民共和国"),
)
"""What stands between components or before them and says nothing of its own."""

DOUBLED_NAMES: Final = frozenset(
    (
        "北京",
        "天津",
        "上海",
        "重庆",
        "吉林",
        "香港",
        "澳门",
        "东莞",
        "中山",
        "儋州",
        "嘉峪关",
        "三沙",
        "阿克苏",
        "济源",
    )
)
"""A unit and the one above it share the name, or forms ask for both: twice is no repetition."""
