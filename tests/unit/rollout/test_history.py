"""What the audit and the results say of rollouts and versions."""

from __future__ import annotations

from typing import Any

from contracts.audit import AuditRecord, CutEntry, TransitionEntry
from contracts.control import ServingSet
from contracts.events import AddressResult, Origin, ParsedBatch, ServedModel, Timing
from contracts.judgement import Accounting, Judgement
from contracts.phases import Phase
from contracts.rollout import Cut, DecisionRef, Rollout
from contracts.spec import ModelSpec
from rollout.chronicle import Chronicle
from rollout.evidence.counts import Served as Counts
from rollout.evidence.production import production_of
from rollout.history import Rollouts, Served, total
from tests.rollouts.pairs import CANDIDATE, REFERENCE, cut_of, rollout_of

DIGEST = "sha256:" + "a" * 64


class Writing:
    """Audit records in order, one revision each."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def add(self, kind: str, rollout_id: str, **fields: Any) -> AuditRecord:
        number = len(self.records) + 1
        record = AuditRecord.model_validate(
            {
                "kind": kind,
                "incarnation": "test/1",
                "revision": number,
                "at": f"2026-01-02T12:{number:02}:00Z",
                "rollout_id": rollout_id,
                **fields,
            }
        )
        self.records.append(record)
        return record

    def enter(self, phase: Phase, rollout: Rollout, serving: ServingSet | None = None) -> None:
        serving = serving or ServingSet(stable=REFERENCE, serving_epoch=7)
        entry = TransitionEntry(previous=None, phase=phase, code="c", reason="r", serving=serving)
        self.add("transition", rollout.rollout_id, transition=entry, rollout=rollout)

    def judged(self, rollout: Rollout, cut: Cut, distinct: int) -> None:
        judgement = Judgement(verdict="continue", accounting=Accounting(distinct=distinct))
        entry = CutEntry(cut=cut, judgement=judgement, outcomes=distinct, chain=DIGEST)
        self.add("cut", rollout.rollout_id, cut=entry)


def named(rollout_id: str, **other: Any) -> Rollout:
    return rollout_of(rollout_id=rollout_id, **other)


def whole_story() -> Writing:
    """One that was aborted, one of the same pair that was promoted."""
    writing = Writing()
    first, second = named("r-1"), named("r-2", attempt=2)
    for phase in (Phase.REGISTERED, Phase.SHADOWING, Phase.ABORTED):
        writing.enter(phase, first)
    writing.enter(Phase.REGISTERED, second)
    writing.enter(Phase.SHADOWING, second)
    writing.judged(second, cut_of(1, {0: 5}), 10)
    writing.judged(second, cut_of(2, {0: 9}), 20)
    decided = second.model_copy(update={"decision": DecisionRef(digest=DIGEST, cut=2)})
    writing.add("decision", "r-2", decision={"cuts": 2})
    writing.enter(Phase.PASSED, decided)
    share = ServingSet(stable=REFERENCE, candidate=CANDIDATE, share=0.25, serving_epoch=8)
    writing.enter(Phase.CANARY, decided, share)
    writing.enter(Phase.PROMOTED, decided, ServingSet(stable=CANDIDATE, serving_epoch=9))
    return writing


def folded(writing: Writing) -> Rollouts:
    rollouts = Rollouts()
    for record in writing.records:
        rollouts.take(record)
    return rollouts


def test_every_rollout_is_a_line_the_newest_first() -> None:
    newest, oldest = folded(whole_story()).summaries()

    assert (newest.rollout_id, newest.phase, newest.attempt) == ("r-2", Phase.PROMOTED, 2)
    assert (newest.cuts, newest.distinct, newest.decision) == (2, 20, DIGEST)
    assert newest.ended_at
    assert (oldest.rollout_id, oldest.phase, oldest.decision) == ("r-1", Phase.ABORTED, "")


def test_a_rollout_that_runs_has_no_end() -> None:
    writing = Writing()
    writing.enter(Phase.SHADOWING, named("r-1"))

    (one,) = folded(writing).summaries()
    assert (one.ended_at, one.verdict) == ("", None)


def test_a_refused_request_makes_no_rollout() -> None:
    writing = Writing()
    writing.add(
        "request",
        "r-9",
        request={"request_id": "q", "kind": "start", "offset": 0, "accepted": False},
    )

    assert folded(writing).summaries() == ()


def test_periods_begin_and_end_where_what_serves_changes() -> None:
    rollouts = folded(whole_story())

    told = [(p.track, p.share, p.serving_epoch) for p in rollouts.periods(CANDIDATE)]
    assert told == [("canary", 0.25, 8), ("stable", 1.0, 9)]
    canary, stable = rollouts.periods(CANDIDATE)
    assert canary.until == stable.since
    assert stable.until == ""
    assert [p.share for p in rollouts.periods(REFERENCE)] == [1.0, 0.75]
    assert rollouts.specs() == (REFERENCE, CANDIDATE)


# --- one rollout ----------------------------------------------------------------------------------


def chronicle_of(writing: Writing, rollout_id: str) -> Chronicle:
    chronicle = Chronicle(rollout_id)
    for record in writing.records:
        chronicle.take(record)
    return chronicle


def test_a_chronicle_holds_its_own_rollout_alone() -> None:
    chronicle = chronicle_of(whole_story(), "r-2")

    assert [one.entry.phase for one in chronicle.transitions] == [
        Phase.REGISTERED,
        Phase.SHADOWING,
        Phase.PASSED,
        Phase.CANARY,
        Phase.PROMOTED,
    ]
    assert [one.cut.number for one in chronicle.cuts] == [1, 2]
    assert chronicle.phase is Phase.PROMOTED
    assert chronicle.judgement is not None
    assert chronicle.judgement.accounting.distinct == 20


def test_a_packed_cut_is_unpacked_as_it_was() -> None:
    writing = whole_story()
    entries = [record.cut for record in writing.records if record.cut is not None]

    assert [one.entry for one in chronicle_of(writing, "r-2").cuts] == entries


def test_earlier_tries_of_the_pair_are_counted_from_the_audit() -> None:
    writing = whole_story()

    assert chronicle_of(writing, "r-1").attempt == 1
    assert chronicle_of(writing, "r-2").attempt == 2


def test_the_same_weights_under_another_name_are_another_try() -> None:
    writing = Writing()
    renamed = CANDIDATE.model_copy(update={"version": "mgeo-base-v9-20260109"})
    writing.enter(Phase.SHADOWING, named("r-0", candidate=renamed))
    writing.enter(Phase.REGISTERED, named("r-1"))

    assert chronicle_of(writing, "r-1").attempt == 2


def test_later_tries_and_other_pairs_do_not_count() -> None:
    writing = Writing()
    other = REFERENCE.model_copy(update={"digest": "sha256:" + "7" * 64})
    writing.enter(Phase.SHADOWING, named("r-0", reference=other))
    writing.enter(Phase.REGISTERED, named("r-1"))
    writing.enter(Phase.SHADOWING, named("r-1"))
    writing.enter(Phase.SHADOWING, named("r-2"))

    assert chronicle_of(writing, "r-1").attempt == 1


def test_nothing_known_is_said() -> None:
    assert not chronicle_of(whole_story(), "r-9").known


# --- what was served ------------------------------------------------------------------------------


def result(
    offset: int,
    model: ModelSpec = REFERENCE,
    *,
    track: str = "stable",
    epoch: int = 7,
    ms: float = 10.0,
    error: str | None = None,
) -> ParsedBatch:
    ok = AddressResult(id="1", text="x", status="ok", confidence=0.5)
    bad = AddressResult(id="1", text="x", status="error", error=error)
    return ParsedBatch(
        batch_id="b",
        origin=Origin(topic="address.events", partition=offset % 2, offset=offset),
        model=ServedModel(**model.model_dump(), track=track, serving_epoch=epoch),
        timing=Timing(queue_ms=1, service_ms=ms, device="cpu"),
        results=(ok if error is None else bad,),
    )


def test_results_are_counted_by_model_track_and_epoch() -> None:
    served = Served()
    for offset in range(100):
        served.take(result(offset), 1000 + offset)
    served.take(result(100, CANDIDATE, track="canary", epoch=8, error="device_lost"), 5000)

    stable, canary = served.figures()
    assert (stable.records, stable.errors, stable.mean_confidence) == (100, 0, 0.5)
    assert stable.offsets == {0: (0, 98), 1: (1, 99)}
    assert (stable.first_at, stable.last_at) == (
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:01.099Z",
    )
    assert (canary.model, canary.errors, canary.mean_confidence) == (CANDIDATE, 1, None)
    assert total(served.figures()) == (101, 1)


def test_a_p99_is_right_to_a_hundredth() -> None:
    served = Served()
    for number in range(1, 1001):
        served.take(result(number, ms=float(number)), 0)

    (one,) = served.figures()
    assert one.p99_service_ms is not None
    assert abs(one.p99_service_ms / 990 - 1) < 0.01


def test_an_address_that_is_at_fault_itself_is_no_error_of_a_model() -> None:
    served, judged = Served(), Counts((CANDIDATE.key,))
    for offset, error in enumerate([None, None, "empty_text", "text_too_long", "model_error"]):
        one = result(offset, CANDIDATE, error=error)
        served.take(one, 1000)
        judged.take(production_of(one))

    (figures,) = served.figures()
    assert figures.records == 5
    assert (figures.addresses, figures.errors) == judged.of(CANDIDATE.key, 7) == (3, 1)
