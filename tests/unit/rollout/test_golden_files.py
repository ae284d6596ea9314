"""A labelled file is read only when every label in it can be right; faults are told by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollout.documents import DocumentError
from rollout.golden import parse_golden, read_golden
from tests.unit.rollout.golden_rows import generated, write_rows

CITY = {"type": "city", "start": 0, "end": 3}
ROAD = {"type": "road", "start": 3, "end": 6}
TEXT = "杭州市文一路"


def faults(*rows: object) -> list[str]:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    with pytest.raises(DocumentError) as caught:
        parse_golden(text, "g.jsonl")
    assert caught.value.code == "bad_golden_set"
    assert TEXT not in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def test_generated_addresses_are_read_whole(tmp_path: Path) -> None:
    rows = generated(200)
    golden = read_golden(write_rows(tmp_path / "g.jsonl", rows))
    assert [row.text for row in golden.rows] == [row["text"] for row in rows]
    assert golden.digest.startswith("sha256:")
    assert golden.gating == golden.rows


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{", "not JSON"),
        ("[]", "a row must be a JSON object"),
        ('{"text": "a1", "text": "b1", "address": {"poi": "a1"}}', "the same key twice"),
        ({"text": TEXT}, "neither `components` nor `address`"),
        ({"text": "", "components": []}, "`text` must be an address"),
        ({"text": "，。", "components": []}, "`text` must be an address"),
        ({"text": TEXT, "component": []}, "unknown name `component`; did you mean `components`?"),
        ({"text": TEXT, "components": {}}, "`components` must be a list"),
        ({"text": TEXT, "components": [3]}, "`components[0]` must be an object"),
        (
            {"text": TEXT, "components": [{**CITY, "type": "citty"}]},
            "`components[0].type` is no component type: `citty`; did you mean `city`?",
        ),
        ({"text": TEXT, "components": [{**CITY, "end": 7}]}, "spans 0 to 7"),
        ({"text": TEXT, "components": [{**CITY, "start": -1}]}, "spans -1 to 3"),
        ({"text": TEXT, "components": [{**CITY, "end": 0}]}, "spans 0 to 0"),
        ({"text": TEXT, "components": [{**CITY, "end": True}]}, "whole numbers"),
        ({"text": TEXT, "components": [{**CITY, "text": "宁波市"}]}, "is not what stands"),
        (
            {"text": TEXT, "components": [{**ROAD, "start": 2}, CITY]},
            "`components[0]` and `components[1]` overlap",
        ),
        ({"text": TEXT, "address": {}}, "`address` must be an object"),
        ({"text": TEXT, "address": {"City": "杭州市"}}, "did you mean `city`?"),
        ({"text": TEXT, "address": {"city": ""}}, "`address.city` must be a text"),
        ({"text": TEXT, "components": [], "stratum": 3}, "`stratum` must be a text"),
    ],
)
def test_a_row_that_cannot_be_right_is_told_by_its_line(row: object, expected: str) -> None:
    found = faults({"text": "宁波市江北区1号", "address": {"city": "宁波市"}}, "", row)
    assert found[0].startswith("g.jsonl:3:1: ")
    assert expected in found[0]


def test_the_same_address_twice_is_refused_however_it_is_written() -> None:
    first = {"text": TEXT, "components": [CITY, ROAD]}
    [repeated] = faults(first, {**first, "text": "杭州市文一路 "})
    assert repeated == "g.jsonl:2:1: the same address as in line 1: it would count twice"
    [conflict] = faults(first, {**first, "components": [CITY]})
    assert "labelled otherwise" in conflict


def test_all_faults_of_a_file_are_told_at_once() -> None:
    places = [fault.split(" ")[0] for fault in faults("{", {"text": TEXT}, "[]")]
    assert places == ["g.jsonl:1:1:", "g.jsonl:2:1:", "g.jsonl:3:1:"]


def test_an_empty_file_is_refused() -> None:
    assert "no labelled address" in faults("")[0]


def test_rows_from_failures_do_not_gate() -> None:
    rows = [
        {"text": TEXT, "components": [CITY, ROAD]},
        {"text": "宁波市江北区1号", "address": {"city": "宁波市"}, "stratum": "failures"},
    ]
    golden = parse_golden("\n".join(map(json.dumps, rows)), "g.jsonl")
    assert [row.line for row in golden.gating] == [1]
    assert len(golden.rows) == 2


def test_a_result_of_the_parser_that_was_mended_is_a_row() -> None:
    row = {
        "id": "7",
        "text": TEXT,
        "status": "ok",
        "components": [{**CITY, "text": "杭州市", "confidence": 0.9}],
        "address": {"prov": "浙江省", "city": "杭州市"},
        "inferred": ["prov"],
        "adcode": None,
        "issues": [],
        "confidence": 0.9,
    }
    [read] = parse_golden(json.dumps(row), "g.jsonl").rows
    assert (read.id, read.spans, read.flat) == ("7", (("city", 0, 3),), None)


def test_a_line_separator_inside_a_text_ends_no_line() -> None:
    raw = '{"text": "杭州市\u2028文一路", "address": {"city": "杭州市"}}'
    assert len(parse_golden(raw, "g.jsonl").rows) == 1
