"""Differences between documents, and what a recomputed rollout is held against."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from contracts.audit import CutEntry
from contracts.judgement import GateResult, Judgement
from rollout.chronicle import RecordedCut
from rollout.differences import differences
from rollout.recomputing import CutChecker, Refolded
from tests.rollouts.pairs import cut_of

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(documents)
def test_equal_documents_do_not_differ(document: Any) -> None:
    assert list(differences(document, copy.deepcopy(document), "d")) == []


@given(documents, documents)
@example(False, 0)
@example({"required": 1}, {"required": True})
def test_documents_that_differ_are_never_taken_for_equal(one: Any, other: Any) -> None:
    if not _same(one, other):
        assert list(differences(one, other, "d"))


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def test_a_difference_names_its_path_and_both_values() -> None:
    one = {"policy": {"gates": [{"name": "aa", "max": 0.01}]}, "share": 1.0}
    other = {"policy": {"gates": [{"name": "aa", "max": 0.02}]}, "share": 1}

    (found,) = differences(one, other)
    assert str(found) == "policy.gates[aa].max: recorded 0.01, recomputed 0.02"


def test_a_field_that_one_side_lacks_is_named() -> None:
    assert [str(one) for one in differences({"a": 1}, {"b": 2})] == [
        "a: recorded 1, recomputed nothing",
        "b: recorded nothing, recomputed 2",
    ]


def judgement(value: float = 0.9) -> Judgement:
    gate = GateResult(name="exact_match", kind="proof", status="undecided", value=value)
    return Judgement(verdict="continue", gates=(gate,))


def recorded(number: int, chain: str = "", value: float = 0.9) -> RecordedCut:
    cut = cut_of(number, {0: number * 10}, ends={0: number * 10})
    chain = chain or f"sha256:{number}"
    return RecordedCut.of(
        CutEntry(cut=cut, judgement=judgement(value), outcomes=number, chain=chain)
    )


def again(number: int, chain: str = "", value: float = 0.9) -> Refolded:
    return Refolded(judgement(value), number, chain or f"sha256:{number}")


def test_cuts_that_come_out_as_recorded_differ_in_nothing() -> None:
    checker = CutChecker(frozenset({2}))
    for number in (1, 2, 3):
        checker.take(recorded(number), again(number))

    assert checker.differences == []
    assert checker.kept.keys() == {2}
    assert checker.seen == 3


def test_the_first_broken_link_is_told_with_its_offsets_and_the_rest_is_not() -> None:
    checker = CutChecker(frozenset())
    checker.take(recorded(1), again(1))
    for number in (2, 3, 4):
        checker.take(recorded(number), again(number, chain="sha256:other"))

    (found,) = checker.differences
    assert found.field == "cuts[2].chain"
    assert found.where == "changed among the evidence at offsets 0: 10 to 19"


def test_the_first_judgement_that_differs_is_told_field_by_field() -> None:
    checker = CutChecker(frozenset())
    for number in (1, 2):
        checker.take(recorded(number), again(number, value=0.8))

    assert [one.field for one in checker.differences] == [
        "cuts[1].judgement.gates[exact_match].value"
    ]


def test_a_missing_cut_is_told() -> None:
    checker = CutChecker(frozenset())
    checker.take(recorded(1), again(1))
    checker.take(recorded(3), again(3))

    assert [one.field for one in checker.differences] == ["cuts[3].number"]
