"""Tables of results: every input column as it was, then ours; complete or not there."""

from __future__ import annotations

import csv
import json
import os
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
from deploy.cli.output import Output
from deploy.cli.parse_file import FILE_SUFFIXES, FileOrder, means_a_file, parse_file
from deploy.file_parsing import parsed_rows, write_parsed
from producer.rows import AddressFile, BadLine, FileFormat, ReadOptions, RejectsFile, Row
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
    for cell in "\t\r\n＝＋－＠":
        with OutputTable(tmp_path / "b.csv", (cell,), spreadsheet_safe=True):
            pass
        with (tmp_path / "b.csv").open(encoding="utf-8-sig", newline="") as file:
            assert list(csv.reader(file)) == [[f"'{cell}"]]
    for is_safe, raw in ((True, "'=1,2"), (False, "=1,2")):
        with RejectsFile(tmp_path / "r.csv", spreadsheet_safe=is_safe) as rejects:
            rejects.add(BadLine(3, "too_many_columns", "=1,2"))
        with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as file:
            assert list(csv.reader(file))[1] == ["3", "too_many_columns", raw]
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


def test_a_workbook_keeps_every_digit(tmp_path: Path) -> None:
    kept = (10**15 - 1, 1 - 10**15, 0.1 + 0.2, 1e300, True)
    as_text = (10**15, -(10**15), 110_101_199_003_072_316, 2**70, float("inf"), float("nan"))
    path = written(tmp_path / "a.xlsx", [(*kept, *as_text)], tuple("abcdefghijk"))
    cells = openpyxl.load_workbook(path).active[2]
    assert [cell.value for cell in cells] == [*kept, *map(str, as_text)]
    assert [cell.data_type for cell in cells] == [*"nnnnb", *"ssssss"]


def test_a_workbook_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    row = ("京路\r\n1号", "_x000D_", "_x005F_x000D_", "_x00_", "a\x01b\x0b", "__x0041_", "=1")
    names = ("地址", *(f"c_x000{n}_" for n in range(1, len(row))))
    with AddressFile(str(written(tmp_path / "a.xlsx", [row], names))) as file:
        assert file.columns == names
        assert [one.values for one in file if isinstance(one, Row)] == [row]


def test_a_table_is_on_disk_under_its_name_when_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def watched(number: int) -> None:
        synced.append(Path(f"/proc/self/fd/{number}").readlink())
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    written(tmp_path / "a.csv", [], ("a",))
    content, folder = synced  # a name lasts only once its folder is written, too
    assert (content.parent, content.suffix, folder) == (tmp_path, ".part", tmp_path)


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


def test_times_beyond_pythons_stay_what_they_are(tmp_path: Path) -> None:
    columns = {
        "ns": pa.array([1, 1_700_000_000_123_456_789, None], pa.timestamp("ns")),
        "zone": pa.array([1, 2000, None], pa.timestamp("ns", "Asia/Shanghai")),
        "time": pa.array([1, 2, None], pa.time64("ns")),
        "far": pa.array([10**18, 0, None], pa.timestamp("ms")),
        "day": pa.array([10**9, 0, None], pa.int32()).view(pa.date32()),
    }
    table = pa.table({"address": ["京路", "沪路", "穗路"], **columns})
    pq.write_table(table, tmp_path / "in.parquet")
    for name in ("out.parquet", "out.csv", "out.jsonl", "out.xlsx"):
        with (
            AddressFile(str(tmp_path / "in.parquet")) as file,
            RejectsFile(tmp_path / "rejects.csv") as rejects,
        ):
            rows = parsed_rows(file, EchoParser(), rejects)
            write_parsed(file, rows, tmp_path / name)
    result = pq.read_table(tmp_path / "out.parquet")
    assert result.select(table.column_names).equals(table)
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["ns"] == "1970-01-01T00:00:00.000000001"
    assert first["time"] == "00:00:00.000000001"


def test_parsing_sets_malformed_lines_aside_or_stops(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,地址\na,京1\nb\nc,京2\n", encoding="utf-8")
    with AddressFile(str(source)) as file, RejectsFile(tmp_path / "r.csv") as rejects:
        pairs = list(parsed_rows(file, EchoParser(), rejects))
        assert [(row.id, result.id) for row, result in pairs] == [("a", "a"), ("c", "c")]
        assert rejects.count == 1
        with pytest.raises(PermanentError, match="line 3 is malformed"):
            list(parsed_rows(file, EchoParser(), rejects, strict=True))


def test_a_file_is_read_within_the_limits_that_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(f"id,地址\n{'i' * 300},京路1号\n{'i' * 401},京路2号\n", encoding="utf-8")
    monkeypatch.setenv("MGEO_LIMITS", '{"max_id_chars": 400}')
    order = FileOrder(
        path=str(source),
        read=ReadOptions(),
        rejects=None,
        strict=False,
        out=out,
        out_format=None,
        spreadsheet_safe=False,
    )
    parse_file(order, EchoParser, Output.TABLE, lambda *_: None)
    rows = out.read_text("utf-8-sig").splitlines()[1:]
    rejects = (tmp_path / "in.csv.rejects.csv").read_text("utf-8-sig").splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["i" * 300]
    assert rejects == [f"3,bad_id,{'i' * 401}\t京路2号"]


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
