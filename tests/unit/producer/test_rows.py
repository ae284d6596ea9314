"""Reading people's files: every format, every encoding, and what goes wrong in them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import UsageError
from contracts.limits import Limits
from producer.rows import AddressFile, BadLine, FileFormat, ReadOptions, RejectsFile, Row
from producer.rows.model import MAX_LINE_CHARS

HEADER = "编号,地址,备注\n"
LINES = ["A1,北京市海淀区中关村大街1号,好\n", "A2,上海市浦东新区张江路2号,\n"]


def write(path: Path, content: bytes | str, encoding: str = "utf-8") -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return str(path)


def read(path: str, **options: object) -> list[Row | BadLine]:
    with AddressFile(path, ReadOptions(**options)) as file:  # type: ignore[arg-type]
        return list(file)


def texts(rows: list[Row | BadLine]) -> list[str]:
    return [row.text for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_an_encoding_is_found_out(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "a.csv", HEADER + "".join(LINES) * 20, encoding)
    rows = read(path)
    assert len(rows) == 40
    assert rows[0] == Row(
        1, 2, "A1", "北京市海淀区中关村大街1号", ("A1", "北京市海淀区中关村大街1号", "好")
    )


def test_chinese_far_behind_plain_ascii_is_still_found(tmp_path: Path) -> None:
    ascii_rows = "".join(f"{number},No. 1 Some Road,x\n" for number in range(20_000))
    path = write(tmp_path / "a.csv", "id,address,note\n" + ascii_rows + LINES[0], "gb18030")
    assert texts(read(path))[-1] == "北京市海淀区中关村大街1号"


def test_a_told_encoding_is_believed_and_an_unknown_one_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "地址\n臺北市信義區\n", "big5")
    assert texts(read(path, encoding="big5")) == ["臺北市信義區"]
    with pytest.raises(UsageError, match="no text encoding"):
        read(path, encoding="klingon")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("told", [False, True], ids=["found out", "told"])
def test_a_byte_order_mark_is_no_part_of_the_text(
    tmp_path: Path, encoding: str, told: bool
) -> None:
    said = {"encoding": encoding} if told else {}
    table = write(tmp_path / "a.csv", "\ufeff" + HEADER + "".join(LINES), encoding)
    with AddressFile(table, ReadOptions(**said)) as file:  # type: ignore[arg-type]
        assert file.columns == ("编号", "地址", "备注")
        assert file.id_column == 0
        assert len(texts(list(file))) == 2
    objects = write(tmp_path / "a.jsonl", '\ufeff{"text":"甲"}\n{"text":"\ufeff乙"}\n', encoding)
    assert texts(read(objects, **said)) == ["甲", "\ufeff乙"]
    assert texts(read(write(tmp_path / "a.txt", "\ufeff甲\n", encoding), **said)) == ["甲"]


def test_a_mark_does_not_make_a_line_that_is_too_long_two(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "a.txt", "\ufeff" + "长" * MAX_LINE_CHARS + "\n二\n", "gb18030"))
    assert [row.code if isinstance(row, BadLine) else row.text for row in rows] == [
        "line_too_long",
        "二",
    ]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_a_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    content = "".join([HEADER, *LINES]).replace(",", delimiter)
    rows = read(write(tmp_path / "a.csv", content))
    assert texts(rows) == ["北京市海淀区中关村大街1号", "上海市浦东新区张江路2号"]


def test_quoted_newlines_and_quotes_belong_to_the_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,地址\n1,"某市\r\n""新""区,1号"\n2,次\n')
    first, second = read(path)
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert first.text == '某市\r\n"新"区,1号'
    assert (second.number, second.line) == (2, 4)


def test_malformed_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    content = (
        "id,地址\n".encode()
        + "1,好\n".encode()
        + "2,太,多\n".encode()
        + b"3\n"
        + b"4,\xff\xfe\xff\n"
        + b"5,a\0b\n"
        + '6,"没有结束\n'.encode()
        + '7,也好\n8,"引号"后面\n9,末\n'.encode()
    )
    rows = read(write(tmp_path / "a.csv", content), encoding="utf-8")
    assert [(b.line, b.code) for b in rows if isinstance(b, BadLine)] == [
        (3, "too_many_columns"),
        (4, "too_few_columns"),
        (5, "bad_encoding"),
        (6, "nul_byte"),
        (7, "broken_quotes"),
        (9, "broken_quotes"),
    ]
    assert texts(rows) == ["好", "也好", "末"]
    raw = [b.raw for b in rows if isinstance(b, BadLine)]
    assert raw[2] == r"4,\xff\xfe\xff"
    assert raw[4] == '6,"没有结束'


def test_a_broken_gbk_pair_costs_its_line_only(tmp_path: Path) -> None:
    good = "1,北京市海淀区\n".encode("gbk")
    path = write(
        tmp_path / "a.csv", "id,地址\n".encode("gbk") + good * 5 + b"2,\xb1\x20\xff\n" + good
    )
    rows = read(path)
    assert texts(rows) == ["北京市海淀区"] * 6
    assert [b.code for b in rows if isinstance(b, BadLine)] == ["bad_encoding"]


def test_an_endless_line_is_skipped_without_being_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "一\n" + "长" * 3_000_000 + "\n二\n")
    rows = read(path)
    assert texts(rows) == ["一", "二"]
    bad = rows[1]
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.code, len(bad.raw)) == (2, "line_too_long", 200)


def test_plain_text_has_one_address_per_line(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "a.txt", "一, 二\r\n\r\n三"))
    assert rows == [Row(1, 1, "1", "一, 二", ("一, 二",)), Row(2, 3, "2", "三", ("三",))]


def test_json_lines_have_every_key_as_a_column(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        '{"id": 7, "address": "甲"}\n[1]\n{"address": "乙", "extra": {"a": 1}}\n{"id":1,"id":2}\n'
        '{"address": null}\n\n{"address": ["丙"]}\nnot json\n',
    )
    with AddressFile(path) as file:
        assert file.columns == ("id", "address", "extra")
        rows = list(file)
    assert rows[0] == Row(1, 1, "7", "甲", (7, "甲", None))
    assert rows[2] == Row(3, 3, "3", "乙", (None, "乙", {"a": 1}))
    assert [(b.line, b.code) for b in rows if isinstance(b, BadLine)] == [
        (2, "not_an_object"),
        (4, "duplicate_key"),
        (7, "bad_text"),
        (8, "not_json"),
    ]
    assert texts(rows) == ["甲", "乙", ""]


def test_a_workbook_is_read_with_its_types(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["编号", "地址", "日期"])
    book.active.append([1, "北京市海淀区", date(2026, 1, 2)])
    book.active.append([2, 404, None])
    book.active.append([])
    book.active.append([3, None, None, "右边"])
    book.create_sheet("二").append(["地址"])
    book["二"].append(["上海市"])
    book.save(tmp_path / "a.xlsx")
    rows = read(str(tmp_path / "a.xlsx"))
    assert [(r.line, r.id, r.text) for r in rows if isinstance(r, Row)] == [
        (2, "1", "北京市海淀区"),
        (3, "2", "404"),
    ]
    assert rows[2] == BadLine(5, "too_many_columns", "3\t\t\t右边")
    assert texts(read(str(tmp_path / "a.xlsx"), sheet="二")) == ["上海市"]
    with AddressFile(str(tmp_path / "a.xlsx")) as file:
        assert file.sheet == "Sheet"
    with pytest.raises(UsageError, match="no sheet") as caught:
        read(str(tmp_path / "a.xlsx"), sheet="三")
    assert "二" in caught.value.hint


def test_what_a_workbook_escapes_is_read_as_it_was_typed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for cell in ("地_x5740_", "北京市_x000D_\n海淀区", "_x005F_x000D_", "_x00_", "_xD83D_"):
        book.active.append([cell])
    book.save(tmp_path / "a.xlsx")
    with AddressFile(str(tmp_path / "a.xlsx")) as file:
        assert file.columns == ("地址",)
        assert texts(list(file)) == ["北京市\r\n海淀区", "_x000D_", "_x00_", "_xD83D_"]


def test_a_row_that_is_set_aside_is_written_down_with_its_cells(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"id":7,"address":["丙"],"x":null}\n{"address":true}\n')
    assert read(path) == [
        BadLine(1, "bad_text", "7\t['丙']\t"),
        BadLine(2, "bad_text", "\tTrue\t"),
    ]
    with RejectsFile(tmp_path / "r.csv") as rejects:
        rejects.add(BadLine(1, "lone_surrogate", "7\t甲\ud800"))
    assert (tmp_path / "r.csv").read_text("utf-8-sig").splitlines()[1] == (
        "1,lone_surrogate,7\t甲\\ud800"
    )


def test_the_digest_is_of_what_is_read_and_disturbs_no_reading(tmp_path: Path) -> None:
    content = (HEADER + "".join(LINES) * 20_000).encode()
    path = write(tmp_path / "a.csv", content)
    with AddressFile(path) as file:
        rows = iter(file)
        first = [next(rows) for _ in range(10)]
        (tmp_path / "new.csv").write_text("地址\n别的\n")
        (tmp_path / "new.csv").replace(path)
        assert file.digest() == hashlib.sha256(content).hexdigest()
        assert len([*first, *rows]) == 40_000


def test_what_is_no_workbook_or_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not an \.xlsx"):
        read(write(tmp_path / "a.xlsx", b"\xd0\xcf\x11\xe0 old"))
    with pytest.raises(UsageError, match="not a Parquet"):
        read(write(tmp_path / "a.parquet", b"nothing"))
    with pytest.raises(UsageError, match="empty"):
        read(write(tmp_path / "a.csv", b""))
    with pytest.raises(UsageError, match="cannot be read"):
        read(str(tmp_path / "missing.csv"))
    with pytest.raises(UsageError, match=r"\*\.doc is not known"):
        read(write(tmp_path / "a.doc", b"x"))


def test_commas_in_a_file_of_one_column_belong_to_the_address(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '地址\n京路1号,2单元\n"京路""3""号,4"\n')
    assert texts(read(path)) == ["京路1号,2单元", '京路"3"号,4']


def test_a_damaged_workbook_or_parquet_file_is_a_sentence(tmp_path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for number in range(3000):
        sheet.append([f"京路{number}号"])
    book.save(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        for name, content in parts.items():
            cut = len(content) // 2 if "sheet1" in name else len(content)
            archive.writestr(name, content[:cut])
    with pytest.raises(UsageError, match="damaged"):
        read(str(tmp_path / "a.xlsx"))
    table = pa.table({"address": [f"京路{number}号" for number in range(3000)]})
    pq.write_table(table, tmp_path / "a.parquet", compression="gzip")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:200] + bytes(1800) + whole[2000:])
    with pytest.raises(UsageError, match="Parquet"):
        read(str(tmp_path / "a.parquet"))


def test_parquet_is_read_with_its_types(tmp_path: Path) -> None:
    table = pa.table({"address": ["甲", None], "n": [1, 2]})
    pq.write_table(table, tmp_path / "a.parquet")
    with AddressFile(str(tmp_path / "a.parquet")) as file:
        assert file.schema == table.schema
        assert list(file) == [Row(1, 1, "1", "甲", ("甲", 1)), Row(2, 2, "2", "", (None, 2))]


def test_a_file_can_be_read_again_and_gives_the_same(tmp_path: Path) -> None:
    for name, content in (("a.csv", HEADER + "".join(LINES)), ("a.jsonl", '{"text":"甲"}\n' * 3)):
        with AddressFile(write(tmp_path / name, content)) as file:
            assert list(file) == list(file) != []


def test_standard_input_is_read_as_it_comes_or_spooled() -> None:
    piped = io.BufferedReader(_Pipe("甲\n乙\n".encode()))
    with AddressFile("-", ReadOptions(format=FileFormat.TEXT), stdin=piped) as file:
        assert texts(list(file)) == ["甲", "乙"]
        with pytest.raises(UsageError, match="once only"):
            list(file)
    piped = io.BufferedReader(_Pipe("甲\n乙\n".encode()))
    with AddressFile("-", ReadOptions(format=FileFormat.TEXT), stdin=piped, spool=True) as file:
        assert texts(list(file)) == texts(list(file)) == ["甲", "乙"]
    with pytest.raises(UsageError, match="standard input is not known"):
        AddressFile("-")


class _Pipe(io.RawIOBase):
    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return self._content.readinto(buffer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "guessed"),
    [
        ("name,Address,x", 1),
        ("收货地址,电话", 0),
        ("客户地址栏,id", 0),
        ("anything", 0),
    ],
)
def test_the_address_column_is_guessed(tmp_path: Path, header: str, guessed: int) -> None:
    with AddressFile(write(tmp_path / "a.csv", header + "\n")) as file:
        assert file.text_column == guessed


def test_an_unclear_address_column_is_an_error_that_lists_all(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "家庭地址,公司地址,电话\n1,2,3\n")
    with pytest.raises(UsageError, match="家庭地址, 公司地址") as caught:
        read(path)
    assert "家庭地址, 公司地址, 电话" in caught.value.hint
    assert texts(read(path, text_column="公司地址")) == ["2"]
    with pytest.raises(UsageError, match="no column 'nothing'"):
        read(path, text_column="nothing")


def test_ids_come_from_their_column_or_the_row_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,地址\nx,甲\n,乙\n" + "y" * 201 + ",丙\n")
    rows = read(path)
    assert [r.id for r in rows if isinstance(r, Row)] == ["x", "2"]
    assert rows[2] == BadLine(4, "bad_id", "y" * 201 + "\t丙")
    with AddressFile(path, limits=Limits(max_id_chars=201)) as file:
        assert texts(list(file)) == ["甲", "乙", "丙"]


def test_a_file_without_header_has_numbered_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,北京市\nb,上海市\n")
    rows = read(path, header=False, text_column="2")
    assert rows == [
        Row(1, 1, "1", "北京市", ("a", "北京市")),
        Row(2, 2, "2", "上海市", ("b", "上海市")),
    ]


def test_repeated_and_blank_column_names_are_made_different(tmp_path: Path) -> None:
    with AddressFile(write(tmp_path / "a.csv", "地址,x,,x\n")) as file:
        assert file.columns == ("地址", "x", "column_3", "x_2")
