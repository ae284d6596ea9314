"""The page: whatever stands in an address, it stays text; nothing is loaded; nothing is missing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.events import AddressResult
from deploy.cli.insights_csv import COLUMNS, write_csv
from rollout.insights.data import InsightsReport
from rollout.insights.difference import changes
from rollout.insights.page import write_insights_page
from rollout.insights.tally import Bounds, Tally
from tests.unit.insights.parsed import GOOD, batch, failed, result

HOSTILE = '<script>alert("x")</script>'
HOUR_MS = 3_600_000


def report(
    now: list[AddressResult],
    before: list[AddressResult] | None = None,
    *,
    show_text: bool = False,
    start: int = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000),
) -> InsightsReport:
    tallies = [Tally(bounds=Bounds(examples=3), show_text=show_text) for _ in range(2)]
    for tally, results in zip(tallies, (now, before or []), strict=True):
        for number, one in enumerate(results):
            tally.take(batch([one], offset=number), start + number * HOUR_MS)
    tallies[0].take_letter("not_json")
    compared = changes(tallies[1], tallies[0]) if before is not None else ()
    return InsightsReport(
        generated_at="2026-01-02T00:00:00Z",
        masked=not show_text,
        low_confidence=0.25,
        long_chars=100,
        remainder_chars=3,
        current=tallies[0].figures("this range"),
        baseline=None if before is None else tallies[1].figures("baseline"),
        comparison=None if before is None else "ranges",
        compared=len(compared),
        changes=compared,
    )


def lost(number: int) -> AddressResult:
    return result(("district", "鼓楼区"), ("road", f"第{number}路"))


@pytest.mark.parametrize("show_text", [False, True])
def test_a_hostile_address_stays_text(show_text: bool) -> None:
    hostile = result(("road", "\u202e" + HOSTILE), ("poi", "某大厦"))
    page = write_insights_page(report([hostile, GOOD], show_text=show_text))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page


def test_the_page_loads_nothing_and_follows_the_reader() -> None:
    page = write_insights_page(report([GOOD, lost(1)]))
    assert "default-src 'none'" in page
    assert "prefers-color-scheme:dark" in page
    assert "width=device-width" in page
    assert not [one for one in ("http://", "https://", "src=", "<link") if one in page]


def test_every_class_with_an_address_is_told_with_what_to_do() -> None:
    page = write_insights_page(report([lost(1), failed("model_error")]))
    for words in (
        "no_province",
        "No province",
        "Have the publisher send",
        "model_error",
        "not_json",
    ):
        assert words in page
    assert "foreign_text" not in page


def test_what_moved_is_told_and_what_did_not_is_not() -> None:
    many = [lost(number) for number in range(60)]
    plain = [result(("prov", "浙江省"), ("road", f"第{number}路")) for number in range(60)]
    moved = write_insights_page(report(many, plain))
    assert "have moved" in moved
    assert "+100.00 pp" in moved
    still = write_insights_page(report(plain, plain))
    assert "Nothing is shown to have moved." in still


def test_a_line_over_time_is_drawn_where_times_are_known() -> None:
    assert "Troubled addresses over time" in write_insights_page(report([GOOD, lost(1), GOOD]))
    assert "Troubled addresses over time" not in write_insights_page(report([GOOD]))


def test_a_range_without_results_says_so() -> None:
    assert "No results in this range" in write_insights_page(report([]))
    assert "No trouble found" in write_insights_page(report([GOOD]))


def test_the_csv_has_every_figure_once_and_no_address(tmp_path: Path) -> None:
    many = [lost(number) for number in range(60)]
    path = tmp_path / "figures.csv"
    write_csv(report(many, [GOOD]), path)
    text = path.read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    keys = [(row["range"], row["kind"], row["code"], row["detail"]) for row in rows]
    assert len(set(keys)) == len(keys)
    (row,) = [one for one in rows if one["range"] == "this range" and one["code"] == "no_province"]
    assert (row["addresses"], row["distinct"], row["before"]) == ("60", "60", "0.0")
    assert "鼓楼" not in text
