"""Counting troubles: what holds for any results, in any order."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.components import COMPONENT_TYPES
from contracts.events import AddressResult
from rollout.evidence.units import unit_of
from rollout.insights.classes import BY_CODE
from rollout.insights.data import RangeFigures
from rollout.insights.detect import diagnose
from rollout.insights.difference import Compared, differences, fisher_p, holm, newcombe_interval
from rollout.insights.masking import masked
from rollout.insights.picking import Lowest
from rollout.insights.tally import Bounds, Tally
from rollout.insights.timeline import Timeline
from tests.unit.insights.parsed import batch, failed, result

HANZI = "浙江省杭州市西湖区文一路号张王李先生收⻄の請Аab 12３@.-，;\u200b"
pieces = st.lists(
    st.tuples(
        st.sampled_from([None, *COMPONENT_TYPES]),
        st.text(alphabet=HANZI, min_size=1, max_size=12) | st.text(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=8,
)
results = st.one_of(
    st.builds(
        lambda made, sure: result(*made, confidence=sure),
        pieces,
        st.floats(min_value=0, max_value=1),
    ),
    st.builds(failed, st.sampled_from(["text_too_long", "model_error"])),
    st.builds(failed, st.just("bad_text"), st.none()),
)


@given(results)
def test_every_finding_is_of_a_known_class_and_lies_in_the_text(one: AddressResult) -> None:
    found = diagnose(one)
    for finding in found.findings:
        spec = BY_CODE[finding.code]
        assert finding.detail in (spec.details or ("",))
        assert 0 <= finding.start <= finding.end <= len(one.text or "")
    ends = [(piece.start, piece.end) for piece in found.personal]
    assert all(before[1] <= after[0] for before, after in pairwise(ends))


@given(results)
def test_a_masked_example_holds_no_digit_and_none_of_the_personal_data(one: AddressResult) -> None:
    diagnosis = diagnose(one)
    for finding in diagnosis.findings:
        shown = masked(one, finding, diagnosis.personal)
        assert not any(character.isdigit() for character in shown.text)
        assert 0 <= shown.start <= shown.end <= len(shown.text)
        for piece in diagnosis.personal:
            secret = (one.text or "")[piece.start : piece.end]
            if piece.kind in ("phone", "id_card", "email") and len(secret) > 3:
                assert secret not in shown.text


@given(st.lists(results, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_results_changes_no_count_and_no_example(
    given_results: list[AddressResult], rng: random.Random
) -> None:
    # One reading of each address: where two readings differ, the first one counts as distinct.
    readings = {unit_of(one.text): one for one in given_results if one.text is not None}
    ordered = [*readings.values()] * 2
    shuffled = list(ordered)
    rng.shuffle(shuffled)

    def counted(some: list[AddressResult]) -> RangeFigures:
        tally = Tally(bounds=Bounds(examples=2))
        for one in some:
            tally.take(batch([one]))
        return tally.figures("x")

    assert counted(ordered) == counted(shuffled)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=60), st.integers(0, 8))
def test_the_lowest_are_kept_whatever_the_order(offers: list[tuple[int, int]], most: int) -> None:
    ranks = dict(reversed([(key, rank) for rank, key in offers]))
    unique = [(rank, key) for key, rank in ranks.items()]
    forward, backward = Lowest[int](most), Lowest[int](most)
    for rank, key in unique:
        forward.offer(rank, key, key)
    for rank, key in reversed(unique):
        backward.offer(rank, key, key)
    wanted = tuple(key for _, key in sorted(unique)[:most])
    assert forward.items() == backward.items() == wanted


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_and_keeps_their_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(q >= p for p, q in zip(values, adjusted, strict=True))
    ordered = sorted(zip(values, adjusted, strict=True))
    assert [q for _, q in ordered] == sorted(q for _, q in ordered)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_the_interval_holds_the_difference(a: int, b: int, c: int, d: int) -> None:
    low, high = newcombe_interval(a, a + b, c, c + d, 1.96)
    assert -1 <= low <= high <= 1
    if a + b and c + d:
        assert low <= c / (c + d) - a / (a + b) + 1e-12
        assert high >= c / (c + d) - a / (a + b) - 1e-12
    assert 0 <= fisher_p(a, a + b, c, c + d) <= 1


def test_of_many_classes_that_do_not_move_hardly_ever_one_is_said_to() -> None:
    """The promise of the test, by simulation; without the adjustment it is broken."""
    rng = np.random.default_rng(5)
    families, shares, n, alarms, unadjusted = 60, 20, 300, 0, 0
    for _ in range(families):
        drawn = rng.binomial(n, rng.uniform(0.02, 0.3, shares)[:, None], (shares, 2)).tolist()
        found = differences(
            [
                Compared("class", f"c{place}", "", before, n, after, n)
                for place, (before, after) in enumerate(drawn)
            ]
        )
        alarms += any(one.moved != "not_shown" for one in found)
        unadjusted += any(one.p <= 0.05 for one in found)
    assert alarms <= 0.05 * families + 3 * (0.05 * 0.95 * families) ** 0.5
    assert unadjusted > 0.2 * families  # the negative control


def test_a_class_that_has_doubled_is_said_to_have_moved() -> None:
    moved, still = differences(
        [
            Compared("class", "a", "", 100, 5000, 100, 5000),
            Compared("class", "b", "", 100, 5000, 200, 5000),
        ]
    )
    assert (moved.code, moved.moved) == ("b", "up")
    assert moved.interval[0] > 0
    assert (still.code, still.moved) == ("a", "not_shown")


def test_memory_does_not_grow_with_what_comes() -> None:
    tally = Tally(bounds=Bounds(distinct=100, examples=2))
    for number in range(300):
        tally.take(
            batch(
                [result(("road", f"第{number}路"), confidence=0.1)],
                offset=number,
                version=f"mgeo-t{number}-v1-20260101",
                source=f"s{number}",
            )
        )
        tally.take_letter(f"code_{number}")
    figures = tally.figures("x")
    assert figures.addresses == 300
    assert figures.distinct == 100
    assert figures.distinct_full
    assert len(figures.versions) <= 65
    assert len(figures.dead_letters) <= 257
    assert all(len(one.examples) <= 2 for one in figures.classes)
    low = next(one for one in figures.classes if one.code == "low_confidence")
    assert (low.addresses, low.distinct) == (300, 100)
    assert low.share == pytest.approx(1.0)


@given(
    st.lists(
        st.tuples(st.integers(0, 10**13), st.integers(0, 50), st.integers(0, 50)),
        min_size=1,
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_time_is_kept_in_few_bins_and_nothing_is_lost(
    events: list[tuple[int, int, int]], rng: random.Random
) -> None:
    shuffled = list(events)
    rng.shuffle(shuffled)
    first, second = Timeline(), Timeline()
    for one in events:
        first.add(*one)
    for one in shuffled:
        second.add(*one)
    assert first.bins() == second.bins()
    assert len(first.bins()) <= 96
    assert sum(one[1] for one in first.bins()) == sum(one[1] for one in events)
    assert sum(one[2] for one in first.bins()) == sum(one[2] for one in events)
