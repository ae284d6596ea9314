"""What a report counts from pairs."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Component, Origin, ServedModel, ShadowBatch, ShadowPair, ShadowSide
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome
from rollout.report.data import Disagreement
from rollout.report.example import CANDIDATE, REFERENCE, failed, reading
from rollout.report.figures import PROBABILITIES, WORST, Figures, compare, latency_figures
from rollout.report.readings import changes, readings


def side(spec_side: str, *results: object) -> ShadowSide:
    spec = CANDIDATE if spec_side == "candidate" else REFERENCE
    model = ServedModel(**spec.model_dump(), track="stable", serving_epoch=1)
    return ShadowSide(model=model, device_ms=8.0, results=results)


def pair(offset: int, reference: object, candidate: object) -> ShadowPair:
    return ShadowPair(
        batch_id="b",
        origin=Origin(topic="address.events", partition=0, offset=offset),
        batch=ShadowBatch(id="s", rows=1, tokens=10, order="candidate_first"),
        candidate=side("candidate", candidate),
        reference=side("reference", reference),
    )


def outcome(offset: int, f1: float | None, **other: object) -> AddressOutcome:
    return AddressOutcome(
        **{
            "partition": 0,
            "offset": offset,
            "index": 0,
            "unit": offset,
            "slice": "浙江省",
            "exact": None if f1 is None else f1 == 1.0,
            "f1": f1,
            "candidate_error": False,
            "reference_error": False,
        }
        | other
    )


def spans(*parts: tuple[str, int, int]) -> tuple[Component, ...]:
    return tuple(
        Component(type=kind, text="x" * (end - start), start=start, end=end, confidence=0.9)
        for kind, start, end in parts
    )


def test_every_span_is_the_same_moved_renamed_lost_or_invented() -> None:
    reference = spans(("city", 0, 3), ("poi", 3, 6), ("road", 6, 9), ("roadno", 9, 11))
    candidate = spans(("city", 0, 3), ("subpoi", 3, 6), ("road", 6, 8), ("assist", 11, 12))

    assert sorted(compare(reference, candidate)) == [
        ("assist", "invented", "assist"),
        ("city", "agreed", "city"),
        ("poi", "renamed", "subpoi"),
        ("road", "moved", "road"),
        ("roadno", "lost", ""),
    ]


@st.composite
def tilings(draw: st.DrawFn) -> tuple[Component, ...]:
    at, parts = 0, []
    for _ in range(draw(st.integers(0, 6))):
        start = at + draw(st.integers(0, 2))
        at = start + draw(st.integers(1, 3))
        parts.append((draw(st.sampled_from(["city", "road", "poi"])), start, at))
    return spans(*parts)


@given(tilings(), tilings())
def test_each_span_of_either_reading_counts_once(
    reference: tuple[Component, ...], candidate: tuple[Component, ...]
) -> None:
    found = [kind for _, kind, _ in compare(reference, candidate)]

    answered = len(found) - found.count("invented")
    assert answered == len(reference)
    assert len(found) - found.count("lost") == len(candidate)


def test_the_worst_are_kept_and_shown_first() -> None:
    figures = Figures()
    one, other = reading([("杭州市", "city")]), reading([("杭州市", "district")])
    scores = [number / 1000 for number in range(500)]
    random.Random(7).shuffle(scores)
    for offset, f1 in enumerate(scores):
        figures.pair(pair(offset, one, other), [outcome(offset, f1)])

    shown = [entry.f1 for entry in figures.disagreements()]
    assert shown == sorted(scores)[:WORST]


def test_agreement_is_no_disagreement_but_counts() -> None:
    figures = Figures()
    one = reading([("杭州市", "city"), ("西湖区", "district")])
    figures.pair(pair(0, one, one), [outcome(0, 1.0)])

    assert figures.disagreements() == ()
    assert figures.compared == 1
    assert [(c.type, c.agreed, c.reference) for c in figures.components()] == [
        ("city", 1, 1),
        ("district", 1, 1),
    ]


def test_addresses_seen_before_change_nothing() -> None:
    figures = Figures()
    figures.pair(pair(0, reading([("a", "city")]), reading([("a", "poi")])), [])

    assert (figures.compared, figures.disagreements(), figures.slices()) == (0, (), ())


def test_candidate_failures_lead_but_leave_room_for_readings() -> None:
    figures = Figures()
    one, other = reading([("杭州市", "city")]), reading([("杭州市", "district")])
    for offset in range(50):
        broken = failed("杭州市", "candidate_crashed")
        figures.pair(pair(offset, one, broken), [outcome(offset, 0.0, candidate_error=True)])
        figures.pair(pair(100 + offset, one, other), [outcome(100 + offset, 0.5)])

    shown = figures.disagreements()
    failing = [entry.candidate.error for entry in shown if entry.candidate.status == "error"]
    assert failing == ["candidate_crashed"] * 3
    assert len(shown) == WORST
    (slice_,) = figures.slices()
    assert (slice_.addresses, slice_.candidate_errors) == (100, 50)


def test_a_side_without_any_result_is_a_failure_of_its_addresses() -> None:
    figures = Figures()
    whole = pair(0, reading([("杭州市", "city")]), reading([("杭州市", "city")]))
    crashed = whole.model_copy(
        update={
            "candidate": whole.candidate.model_copy(
                update={"results": (), "error": "candidate_crashed"}
            )
        }
    )
    figures.pair(crashed, [outcome(0, 0.0, candidate_error=True)])

    (shown,) = figures.disagreements()
    assert shown.candidate.error == "candidate_crashed"


def test_a_record_that_took_the_worker_down_is_shown_by_its_place() -> None:
    figures = Figures()
    one = reading([("杭州市", "city")])
    whole = pair(77, one, one)
    nothing = {"results": ()}
    crashed = whole.model_copy(
        update={
            "candidate": whole.candidate.model_copy(
                update={**nothing, "error": "candidate_crashed"}
            ),
            "reference": whole.reference.model_copy(update=nothing),
            "batch": None,
        }
    )
    figures.pair(crashed, [outcome(77, None, candidate_error=True)])

    (shown,) = figures.disagreements()
    assert shown.origin is not None
    assert (shown.origin.offset, shown.text) == (77, "")
    assert [side.error for side in readings(shown)] == ["did not run", "candidate_crashed"]


def batch(number: int, reference: float, candidate: float) -> BatchOutcome:
    return BatchOutcome(f"b{number}", 4, 100, "candidate_first", candidate, reference)


def test_latency_is_the_same_whatever_the_order() -> None:
    rng = random.Random(1)
    batches = [batch(n, rng.expovariate(0.1) + 5, rng.expovariate(0.1) + 6) for n in range(3000)]
    one, other = Figures(), Figures()
    for entry in batches:
        one.batch(entry)
    rng.shuffle(batches)
    for entry in batches:
        other.batch(entry)

    assert one.latency() == other.latency()


def test_quantiles_are_values_that_were_seen() -> None:
    figures = latency_figures([(float(n), 2.0 * n) for n in range(1, 101)], 100)

    at = dict(zip(figures.probabilities, figures.reference_ms, strict=True))
    assert (at[0.0], at[0.5], at[0.99], at[1.0]) == (1.0, 50.0, 99.0, 100.0)
    assert set(figures.ratio) == {2.0}
    assert len(figures.ratio) == len(PROBABILITIES)


def test_times_that_no_clock_can_mean_are_left_out() -> None:
    figures = Figures()
    figures.batch(batch(1, 0.0, 5.0))

    assert figures.latency() is None


# --- side by side ---------------------------------------------------------------------------------


def disagreement(reference: object, candidate: object, text: str) -> Disagreement:
    return Disagreement(text=text, reference=reference, candidate=candidate)


def test_the_pieces_of_a_reading_are_its_text() -> None:
    one = reading([("杭州市", "city"), ("，", ""), ("文一路", "road")])
    shown = readings(disagreement(one, one, one.text or ""))

    assert ["".join(piece.text for piece in side.pieces) for side in shown] == [one.text] * 2
    assert not any(piece.differs for side in shown for piece in side.pieces)


def test_what_is_left_out_of_a_long_text_is_counted() -> None:
    parts = [("很长的路名", "road")] * 100 + [("9号", "roadno")]
    one, other = reading(parts), reading([*parts[:-1], ("9号", "houseno")])
    for side in readings(disagreement(one, other, one.text or "")):
        kept = sum(len(piece.text) + piece.left_out for piece in side.pieces)
        assert kept == len(one.text or "")
        assert len(side.pieces) < 10
        assert any(piece.differs for piece in side.pieces)


def test_changes_of_the_flat_view_name_both_sides() -> None:
    one, other = reading([("1号", "roadno")]), reading([("1号", "houseno")])

    found = {(c.key, c.reference, c.candidate) for c in changes(disagreement(one, other, "1号"))}
    assert found == {("roadno", "1号", ""), ("houseno", "", "1号")}
