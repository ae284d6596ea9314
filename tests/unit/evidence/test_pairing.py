"""What one shadow pair says about the two models."""

from __future__ import annotations

import pytest

from consumer.gazetteer.divisions import load_divisions
from contracts.events import AddressResult
from rollout.evidence.pairing import (
    MissingRecord,
    evidence_of,
    evidence_of_missing,
    span_f1,
    with_addresses,
)
from rollout.evidence.provinces import PROVINCES
from rollout.evidence.units import unit_of
from tests.rollouts.pairs import failed, pair_of, parsed

TEXT = "浙江省杭州市西湖区文三路1号"
FULL = {"prov": "浙江省", "city": "杭州市", "district": "西湖区", "road": "文三路"}
LESS = {"prov": "浙江省", "city": "杭州市", "district": "西湖区"}


def test_the_same_answer_is_exact_and_its_slice_is_the_references_province() -> None:
    (address,) = evidence_of(pair_of(5, [parsed(TEXT, FULL)])).addresses

    assert (address.exact, address.f1, address.slice) == (True, 1.0, "浙江省")
    assert address.unit == unit_of(TEXT)
    assert not address.candidate_error
    assert not address.reference_error


def test_a_slice_is_a_province_that_there_is_and_no_other_text() -> None:
    """Slices are named in the audit and in reports; a model can call anything a province."""
    secret = parsed("张三家浙江省", {"prov": "张三家"})
    (address,) = evidence_of(pair_of(5, [secret])).addresses

    assert address.slice == ""
    assert {one.name for one in load_divisions() if one.level == "province"} == PROVINCES


def test_a_lost_span_is_not_exact_and_costs_f1() -> None:
    (address,) = evidence_of(pair_of(5, [parsed(TEXT, LESS)], [parsed(TEXT, FULL)])).addresses

    assert address.exact is False
    assert address.f1 == pytest.approx(2 * 3 / 7)


def test_exact_is_about_the_published_view_and_f1_about_the_spans() -> None:
    """One model says the province, the gazetteer completes the other: people see the same."""
    said = parsed(TEXT, FULL)
    completed = parsed(TEXT, {"city": "杭州市", "district": "西湖区", "road": "文三路"}).model_copy(
        update={"address": said.address, "inferred": ("prov",)}
    )

    (address,) = evidence_of(pair_of(5, [completed], [said])).addresses

    assert address.exact is True
    assert address.f1 == pytest.approx(2 * 3 / 7)


def test_two_answers_without_any_span_agree() -> None:
    assert span_f1(parsed(TEXT, {}), parsed(TEXT, {})) == 1.0
    assert span_f1(parsed(TEXT, LESS), parsed(TEXT, {})) == 0.0


@pytest.mark.parametrize(
    ("candidate", "reference", "exact", "f1", "errors"),
    [
        (failed(TEXT), parsed(TEXT), False, 0.0, (True, False)),
        (parsed(TEXT), failed(TEXT), None, None, (False, True)),
        (failed(TEXT), failed(TEXT), None, None, (True, True)),
        (failed(None, "result_too_large"), parsed(TEXT), False, 0.0, (True, False)),
        (failed(TEXT, "empty_text"), parsed(TEXT), False, 0.0, (True, False)),
    ],
)
def test_errors_are_told_apart_by_whose_they_are(
    candidate: AddressResult,
    reference: AddressResult,
    exact: bool | None,
    f1: float | None,
    errors: tuple[bool, bool],
) -> None:
    (address,) = evidence_of(pair_of(5, [candidate], [reference])).addresses

    assert (address.exact, address.f1) == (exact, f1)
    assert (address.candidate_error, address.reference_error) == errors


def test_an_address_at_fault_itself_says_nothing_about_models() -> None:
    empty = failed("", "empty_text")

    evidence = evidence_of(pair_of(5, [empty, parsed(TEXT)]))

    assert [one.index for one in evidence.addresses] == [1]
    assert evidence.size == 2


def test_a_record_that_crashes_the_candidate_fails_it_for_every_address() -> None:
    reference = [parsed(TEXT), failed("", "empty_text"), parsed("上海市南京东路1号")]

    evidence = evidence_of(pair_of(5, [], reference, errors=("candidate_crashed", None)))

    assert evidence.kind == "candidate_failed"
    assert [(one.index, one.exact, one.candidate_error) for one in evidence.addresses] == [
        (0, False, True),
        (2, False, True),
    ]


def test_a_record_that_no_model_survives_is_one_failure_of_both() -> None:
    evidence = evidence_of(pair_of(5, [], [], errors=("candidate_crashed", "model_crashed")))

    (address,) = evidence.addresses
    assert (address.candidate_error, address.reference_error) == (True, True)
    assert address.exact is None


def test_a_crashed_record_fails_the_candidate_for_each_address_that_stands_in_the_input() -> None:
    crashed = evidence_of(pair_of(5, [], [], errors=("candidate_crashed", None)))

    filled = with_addresses(crashed, MissingRecord(0, 5, (17, None, 18)))

    assert [one.candidate_error for one in crashed.addresses] == [True], "one, while unknown"
    assert filled.kind == "candidate_failed"
    told = [(one.unit, one.candidate_error, one.reference_error) for one in filled.addresses]
    assert told == [(17, True, False), (18, True, False)]
    assert with_addresses(crashed, MissingRecord(0, 5, None)) == crashed


def test_an_unreadable_record_is_nobodys_fault() -> None:
    evidence = evidence_of(pair_of(5, [], [], errors=("not_json", "not_json")))

    assert (evidence.kind, evidence.addresses) == ("unreadable", ())


def test_a_candidate_that_answers_for_too_few_addresses_fails_the_others() -> None:
    evidence = evidence_of(pair_of(5, [parsed(TEXT)], [parsed(TEXT), parsed("上海市1号")]))

    assert [one.candidate_error for one in evidence.addresses] == [False, True]


def test_a_hole_fails_the_candidate_for_every_address_that_could_be_parsed() -> None:
    evidence = evidence_of_missing(MissingRecord(0, 5, (17, None, 18)))

    assert evidence.kind == "missing"
    assert [(one.unit, one.candidate_error, one.exact) for one in evidence.addresses] == [
        (17, True, False),
        (18, True, False),
    ]
    assert evidence_of_missing(MissingRecord(0, 5, None)).kind == "unreadable"


def test_changing_anything_that_a_side_wrote_changes_the_outcome() -> None:
    base = pair_of(5, [parsed(TEXT, FULL)], batch="b-1")
    canonical = evidence_of(base).canonical()
    quieter = parsed(TEXT, FULL).model_copy(update={"confidence": 0.89})

    assert evidence_of(pair_of(5, [parsed(TEXT, FULL)], batch="b-1")).canonical() == canonical
    assert evidence_of(pair_of(5, [quieter], batch="b-1")).canonical() != canonical
    assert evidence_of(pair_of(5, [parsed(TEXT, FULL)], batch="b-2")).canonical() != canonical
    assert evidence_of(pair_of(6, [parsed(TEXT, FULL)], batch="b-1")).canonical() != canonical
