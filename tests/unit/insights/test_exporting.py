"""Rows to label: read as proposals until a person has mended them, and never a gate's business."""

from __future__ import annotations

import json

import pytest

from contracts.errors import UsageError
from contracts.events import AddressResult
from rollout.golden import compare, parse_golden
from rollout.insights.exporting import Worst
from tests.unit.insights.parsed import batch, result
from tests.unit.rollout.golden_rows import generated, said

REGION = (("prov", "浙江省"), ("city", "杭州市"))


def unsure(number: int, confidence: float = 0.1, prov: str = "浙江省") -> AddressResult:
    return result(
        ("prov", prov), ("road", f"第{number}路"), ("poi", f"某{number}大厦"), confidence=confidence
    )


def exported(results: list[AddressResult], limit: int = 100) -> list[dict[str, object]]:
    worst = Worst(limit)
    for number, one in enumerate(results):
        worst.take(batch([one], offset=number))
    return [json.loads(one) for one in worst.select().rows]


def test_an_exported_row_is_passed_over_until_it_is_labelled() -> None:
    (row,) = exported([unsure(1)])
    assert (row["stratum"], row["labelled"]) == ("failures", False)
    good = {"text": "宁波市鄞州区", "components": []}
    proposal = parse_golden("\n".join(json.dumps(one) for one in (row, good)), "f")
    assert (len(proposal.rows), proposal.unlabelled) == (1, 1)
    with pytest.raises(UsageError, match="labelled: false"):
        parse_golden(json.dumps(row), "f")
    del row["labelled"]
    labelled = parse_golden("\n".join(json.dumps(one) for one in (row, good)), "f")
    assert (len(labelled.rows), len(labelled.gating), labelled.unlabelled) == (2, 1, 0)


def test_labelled_failures_change_nothing_that_a_gate_sees() -> None:
    rows = generated(30)
    failures = exported([unsure(number) for number in range(20)])
    for row in failures:
        del row["labelled"]
        row["components"] = []  # labels by which both models are wholly wrong

    def outcome(given: list[dict[str, object]]) -> object:
        golden = parse_golden(
            "\n".join(json.dumps(one) for one in given), "f", digest="sha256:" + "0" * 64
        )
        ours = [said(one) for one in given]
        theirs = [said(one, without=1) for one in given]
        return compare(golden, ours, theirs).outcome

    assert outcome([*rows, *failures]) == outcome(rows)
    for row in failures:  # the negative control: the same rows in the set itself
        del row["stratum"]
    assert outcome([*rows, *failures]) != outcome(rows)


def test_rows_are_few_different_and_from_every_class_and_province() -> None:
    many = [unsure(number % 50, prov=("浙江省", "江苏省")[number % 2]) for number in range(400)]
    other = [result(*REGION, ("road", "文一路"), (None, " 13812345678"))]
    rows = exported([*many, *other], limit=20)
    texts = [str(one["text"]) for one in rows]
    assert len(rows) == 20
    assert len(set(texts)) == 20
    assert {text[:3] for text in texts} == {"浙江省", "江苏省"}
    assert any("personal_data" in str(one["note"]) for one in rows)


def test_the_worst_come_first() -> None:
    rows = exported([unsure(number, 0.2 - number / 1000) for number in range(100)], limit=10)
    assert [str(one["text"]) for one in rows] == [
        f"浙江省第{n}路某{n}大厦" for n in range(99, 89, -1)
    ]


def test_personal_data_is_written_over_and_no_span_moves() -> None:
    one = result(*REGION, ("road", "文一路"), (None, " 张先生13812345678 a.b@c.com"))
    (row,) = exported([one])
    text = str(row["text"])
    assert text == "浙江省杭州市文一路 某某某00000000000 x.x@x.xxx"
    assert len(text) == len(one.text or "")


def test_what_could_not_be_parsed_is_not_to_be_labelled() -> None:
    broken = AddressResult(id="1", text="某路", status="error", error="model_error")
    assert exported([broken]) == []


def test_only_the_wanted_classes_are_exported() -> None:
    worst = Worst(10, classes=["foreign_text"])
    worst.take(batch([unsure(1)]))
    assert worst.select().rows == ()


def test_an_address_that_was_read_in_two_ways_is_written_once() -> None:
    text = "浙江省杭州市西湖区文一路98号" * 9
    whole = result(("prov", "浙江省"), (None, text[3:]), confidence=0.9)
    lost = result((None, text[:3]), ("city", "杭州市"), (None, text[6:]), confidence=0.1)
    assert whole.text == lost.text == text
    worst = Worst(10)
    worst.take(batch([whole], version="mgeo-test-v1-20260101"))
    worst.take(batch([lost], version="mgeo-test-v2-20260101", offset=1))

    chosen = worst.select()
    assert sum(chosen.classes.values()) == len(chosen.rows)
    rows = [json.loads(one) for one in chosen.rows]
    assert [one["text"] for one in rows] == [text]
    for one in rows:
        del one["labelled"]
    assert len(parse_golden("\n".join(json.dumps(one) for one in rows), "f").rows) == 1
