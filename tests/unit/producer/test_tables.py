"""Tables of results: every input column as it was, then ours; complete or not there."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.components import COMPONENT_TYPES
from contracts.errors import PermanentError, UsageError
from contracts.events import AddressResult
from deploy.cli.file_options import InputFormat, TableChoice
from deploy.cli.parse_file import FILE_SUFFIXES, means_a_file
from deploy.file_parsing import parsed_rows, write_parsed
from producer.rows import AddressFile, FileFormat, RejectsFile
from producer.rows.source import FORMAT_BY_SUFFIX
from producer.tables import (
    RESULT_COLUMNS,
    OutputTable,
    TableFormat,
    added_columns,
    error_cells,
    result_cells,
)
from tests.streams.stand_in_worker import echo


class EchoParser:
    def stream(self, addresses: Iterable[str]) -> Iterator[AddressResult]:
        for number, text in enumerate(addresses):
            yield echo(f"#{number}", text)


def written(path: Path, rows: list[tuple[object, ...]], columns: tuple[str, ...]) -> Path:
    with OutputTable(path, columns) as table:
        for row in rows:
            table.write(row)
    return path


def test_result_columns_are_all_components_and_four_more() -> None:
    assert (*COMPONENT_TYPES, "adcode", "confidence", "status", "error_code") == RESULT_COLUMNS
    assert dict(zip(RESULT_COLUMNS, result_cells(echo("1", "京")), strict=True)) == {
        **dict.fromkeys(RESULT_COLUMNS),
        "prov": "京",
        "adcode": "110108",
        "confidence": 0.5,
        "status": "ok",
    }
    assert error_cells("no_result")[-2:] == ("error", "no_result")
    assert len(error_cells("x")) == len(RESULT_COLUMNS)


def test_a_taken_column_name_gets_a_prefix_until_it_is_free() -> None:
    names = added_columns(["city", "mgeo_city", "地址"])
    assert names[:3] == ("prov", "mgeo_mgeo_city", "district")
    assert len(set(names)) == len(RESULT_COLUMNS)


def test_csv_has_a_mark_and_exact_data(tmp_path: Path) -> None:
    cells = ("=1+1", "甲\n乙", None, 1.5, '"')
    path = written(tmp_path / "a.csv", [cells], ("a", "b", "c", "d", "e"))
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1] == ["=1+1", "甲\n乙", "", "1.5", '"']


def test_formulas_are_disarmed_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with OutputTable(path, ("a",), spreadsheet_safe=True) as table:
        for cell in ("=1", "+1", "-1", "@x", "路=1", None):
            table.write((cell,))
    assert path.read_text("utf-8-sig").splitlines() == [
        "a",
        "'=1",
        "'+1",
        "'-1",
        "'@x",
        "路=1",
        '""',
    ]


def test_a_workbook_keeps_texts_as_texts_and_control_characters(tmp_path: Path) -> None:
    day = datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001  (workbooks know no time zones)
    path = written(
        tmp_path / "a.xlsx", [("=1+1", 7, None, day, "a\x01b")], ("a", "b", "c", "d", "e")
    )
    sheet = openpyxl.load_workbook(path).active
    assert [cell.value for cell in sheet[2]] == ["=1+1", 7, None, day, "a_x0001_b"]
    assert sheet["A2"].data_type == "s"


def test_what_a_workbook_cannot_hold_is_an_error_not_a_cut(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="32767"):
        written(tmp_path / "a.xlsx", [("长" * 32_768,)], ("a",))
    assert list(tmp_path.iterdir()) == []


def test_json_lines_keep_types_and_large_numbers(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [(2**70, {"k": [1]}, "地")], ("a", "b", "c"))
    assert json.loads(path.read_text("utf-8")) == {"a": 2**70, "b": {"k": [1]}, "c": "地"}


def test_a_failure_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    for name in ("a.csv", "a.xlsx", "a.jsonl", "a.parquet"):
        path = tmp_path / name
        path.write_text("old")

        def fail(path: Path = path) -> None:
            with OutputTable(path, ("a",)) as table:
                table.write(("new",))
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            fail()
        assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 4


def test_where_nothing_can_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "a.csv", tmp_path):
        with pytest.raises(UsageError) as caught:
            written(path.with_suffix(".csv") if path != tmp_path else path, [], ("a",))
        assert caught.value.code in ("cannot_write", "unknown_format")


def test_parsing_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2, 3], "address": ["京路", "", "沪路"], "tags": [["a"], [], None]})
    pq.write_table(table, tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    with (
        AddressFile(str(tmp_path / "in.parquet")) as file,
        RejectsFile(tmp_path / "rejects.csv") as rejects,
    ):
        counts = write_parsed(file, parsed_rows(file, EchoParser(), rejects), out)
    assert counts.results == {"ok": 2, "empty_text": 1}
    result = pq.read_table(out)
    assert result.column_names == ["n", "address", "tags", *RESULT_COLUMNS]
    assert result.select(["n", "address", "tags"]).equals(table)
    assert result.column("prov").to_pylist() == ["京", None, "沪"]
    assert result.column("error_code").to_pylist() == [None, "empty_text", None]
    assert not (tmp_path / "rejects.csv").exists()


def test_parsing_sets_malformed_lines_aside_or_stops(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,地址\na,京1\nb\nc,京2\n", encoding="utf-8")
    with AddressFile(str(source)) as file, RejectsFile(tmp_path / "r.csv") as rejects:
        pairs = list(parsed_rows(file, EchoParser(), rejects))
        assert [(row.id, result.id) for row, result in pairs] == [("a", "a"), ("c", "c")]
        assert rejects.count == 1
        with pytest.raises(PermanentError, match="line 3 is malformed"):
            list(parsed_rows(file, EchoParser(), rejects, strict=True))


def test_the_commands_offer_the_formats_there_are() -> None:
    assert [one.value for one in InputFormat] == [one.value for one in FileFormat]
    assert [one.value for one in TableChoice] == [one.value for one in TableFormat]
    assert frozenset(FORMAT_BY_SUFFIX) == FILE_SUFFIXES


def test_one_argument_that_is_a_file_is_told_from_addresses(tmp_path: Path) -> None:
    plain = tmp_path / "addresses"
    plain.write_text("京路1号")
    assert means_a_file(["-"], False)
    assert means_a_file(["missing.csv"], False)
    assert means_a_file([str(plain)], False)
    assert not means_a_file(["京路1号"], False)
    assert not means_a_file(["京" * 5000], False)
    assert not means_a_file(["a\0b"], False)
    assert not means_a_file([str(plain), "京路1号"], False)
