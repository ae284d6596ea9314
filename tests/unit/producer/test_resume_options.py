"""A run goes on only with the rows and options that its batches were cut by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contracts.errors import UsageError
from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer.publishing import FilePublication, Journal
from producer.rows import AddressFile, ReadOptions
from producer.settings import ProducerSettings

LATER_KEPT = ("delimiter", "sheet", "header", "max_id_chars")


@pytest.fixture
def book(tmp_path: Path) -> str:
    book = openpyxl.Workbook()
    book.active.title = "一月"
    book.create_sheet("二月")
    for sheet in book:
        sheet.append(["地址"])
        sheet.append([f"{sheet.title}路1号"])
    book.save(tmp_path / "in.xlsx")
    return str(tmp_path / "in.xlsx")


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "in.csv"
    path.write_text("地址;门牌\n京路1号;2,3\n", encoding="utf-8")
    return str(path)


def publication(file: AddressFile, *, max_id_chars: int = 200) -> FilePublication:
    settings = ProducerSettings(limits=Limits(max_id_chars=max_id_chars))
    return FilePublication(file, kafka=KafkaSettings(), settings=settings)


def journal(path: str, options: dict[str, Any], *, without: tuple[str, ...] = ()) -> Journal:
    with AddressFile(path, ReadOptions(**options)) as file:
        plan = publication(file)._plan_options()
        written = Journal(
            run_id="r",
            digest=file.digest(),
            plan={name: value for name, value in plan.items() if name not in without},
            topic="t",
            floors={},
            result_floors={},
            dead_letter_floors={},
            written_at=datetime.now(UTC),
        )
    return Journal.model_validate_json(written.model_dump_json())


def check(earlier: Journal, path: str, options: dict[str, Any], **limits: int) -> None:
    with AddressFile(path, ReadOptions(**options)) as file:
        publication(file, **limits)._check_same(earlier)


def test_the_same_options_are_the_same_said_or_found_out(book: str, table: str) -> None:
    check(journal(book, {}), book, {"sheet": "一月"})
    check(journal(book, {"sheet": "二月"}), book, {"sheet": "二月"})
    check(journal(table, {}), table, {"delimiter": ";"})


@pytest.mark.parametrize("without", [(), LATER_KEPT], ids=["journal of now", "older journal"])
def test_another_sheet_header_or_delimiter_is_another_plan(
    book: str, table: str, without: tuple[str, ...]
) -> None:
    column = {"text_column": "地址"}
    for path, option, value, other in (
        (book, "sheet", "二月", {}),
        (table, "header", False, {"text_column": "1"}),
        (table, "delimiter", ",", {"text_column": "地址;门牌"}),
    ):
        earlier = journal(path, column, without=without)
        check(earlier, path, column)
        with pytest.raises(UsageError, match=f"another {option}") as caught:
            check(earlier, path, {**column, option: value, **other})
        assert caught.value.code == "options_changed"


@pytest.mark.parametrize("without", [(), LATER_KEPT], ids=["journal of now", "older journal"])
def test_another_bound_on_ids_is_another_plan(table: str, without: tuple[str, ...]) -> None:
    earlier = journal(table, {"text_column": "地址"}, without=without)
    with pytest.raises(UsageError, match="another max_id_chars"):
        check(earlier, table, {"text_column": "地址"}, max_id_chars=300)


def test_the_sheet_that_is_read_when_none_is_said_is_remembered(book: str) -> None:
    with pytest.raises(UsageError, match="another sheet"):
        check(journal(book, {"sheet": "二月"}), book, {})


@pytest.mark.parametrize("source", ["s" * 201, "caf\udce9"], ids=["too long", "no Unicode"])
def test_a_source_that_every_worker_would_refuse_is_refused_first(table: str, source: str) -> None:
    with (
        AddressFile(table, ReadOptions(text_column="地址")) as file,
        pytest.raises(UsageError, match="source") as caught,
    ):
        FilePublication(file, kafka=KafkaSettings(), settings=ProducerSettings(), source=source)
    assert caught.value.code == "bad_source"
