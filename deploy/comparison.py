"""Two models compared offline, before any traffic: on labels, and on addresses without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts.canonical import digest_of
from contracts.events import (
    AddressResult,
    Component,
    Origin,
    ServedModel,
    ShadowPair,
    ShadowSide,
)
from contracts.judgement import Judgement
from contracts.policy import Policy
from contracts.spec import ModelSpec
from deploy.paired_parsing import PairedGroup, PairedParser, Progress, run_all
from rollout.evidence.outcomes import AddressOutcome
from rollout.evidence.pairing import span_f1
from rollout.evidence.production import flat_hash
from rollout.evidence.units import unit_of
from rollout.golden import GoldenComparison, GoldenSet, compare
from rollout.judge.golden import golden_gate
from rollout.report.data import ComponentScore, Disagreement, ReportData
from rollout.report.figures import WORST, Figures
from rollout.stats.display import wilson_interval

_NOWHERE: Final = Origin(topic="file", partition=0, offset=0)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models agree on distinct addresses, labels or not.

    Attributes:
        addresses: distinct ones that the reference could read.
        exact: those whose flat view is the same.
        exact_interval: Wilson's 95% interval of their share.
        span_f1: mean F1 of the candidate's spans against the reference's.
        candidate_errors: addresses that only the candidate could not read.
    """

    addresses: int
    exact: int
    exact_interval: tuple[float, float]
    span_f1: float
    candidate_errors: int

    @property
    def exact_match(self) -> float:
        """Share of addresses with the same flat view."""
        return self.exact / self.addresses if self.addresses else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was found.

    Attributes:
        agreement: over golden and sample texts together.
        golden: against the labels; None without a golden set.
        judgement: the golden gate's answer.
        report: the same as a report's content.
    """

    agreement: Agreement
    golden: GoldenComparison | None
    judgement: Judgement
    report: ReportData


def compare_models(
    parser: PairedParser,
    *,
    reference: ModelSpec,
    candidate: ModelSpec,
    policy: Policy,
    golden: GoldenSet | None,
    sample: Sequence[str] = (),
    now: datetime | None = None,
    progress: Progress = lambda _: None,
) -> Comparison:
    """Run both models over labelled and unlabelled addresses and count.

    Args:
        parser: both models, loaded.
        reference: what the first of them is.
        candidate: what the second is.
        policy: thresholds of the golden gate.
        golden: labelled addresses.
        sample: addresses without labels.
        now: for the report; default: the clock's.
        progress: told how many addresses are done.
    """
    labelled = [row.text for row in golden.rows] if golden is not None else []
    ours, theirs, groups = run_all(parser, [*labelled, *sample], progress)
    against_labels = None
    if golden is not None:
        count = len(labelled)
        against_labels = compare(golden, ours[:count], theirs[:count])
    figures, agreement = _fold(reference, candidate, groups)
    judgement = _judgement(policy, against_labels)
    report = ReportData(
        kind="comparison",
        generated_at=(now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        candidate=candidate,
        reference=reference,
        policy=policy,
        policy_digest=digest_of(policy),
        judgement=judgement,
        compared=figures.compared,
        components=figures.components(),
        renamings=figures.renamings(),
        slices=figures.slices(),
        latency=figures.latency(),
        disagreements=_disagreements(figures, golden, ours, theirs),
        golden=None if against_labels is None else against_labels.outcome,
        golden_components=() if against_labels is None else _scores(against_labels),
    )
    return Comparison(agreement, against_labels, judgement, report)


def _fold(
    reference: ModelSpec, candidate: ModelSpec, groups: Sequence[PairedGroup]
) -> tuple[Figures, Agreement]:
    """The figures that a rollout's report has, from files."""
    figures = Figures()
    seen: set[int] = set()
    judged, exact, f1_sum, errors = 0, 0, 0.0, 0
    for group in groups:
        outcomes = []
        for index, (ours, theirs) in enumerate(zip(group.reference, group.candidate, strict=True)):
            unit = unit_of(ours.text or "")
            if unit in seen or (ours.status == "error" and theirs.status == "error"):
                continue  # counted already, or no address at all: the input's fault
            seen.add(unit)
            outcome = _outcome(index, unit, ours, theirs)
            outcomes.append(outcome)
            errors += outcome.candidate_error
            if outcome.exact is not None and outcome.f1 is not None:
                judged += 1
                exact += outcome.exact
                f1_sum += outcome.f1
        figures.pair(_pair(reference, candidate, group), outcomes)
        if group.batch is not None:
            figures.batch(group.batch)
    return figures, Agreement(
        addresses=judged,
        exact=exact,
        exact_interval=wilson_interval(exact, judged),
        span_f1=f1_sum / judged if judged else 0.0,
        candidate_errors=errors,
    )


def _outcome(index: int, unit: int, ours: AddressResult, theirs: AddressResult) -> AddressOutcome:
    readable = ours.status == "ok"
    return AddressOutcome(
        partition=0,
        offset=0,
        index=index,
        unit=unit,
        slice=ours.address.get("prov", ""),
        exact=flat_hash(ours) == flat_hash(theirs) if readable else None,
        f1=(span_f1(theirs, ours) if theirs.status == "ok" else 0.0) if readable else None,
        candidate_error=theirs.status == "error",
        reference_error=not readable,
    )


def _pair(reference: ModelSpec, candidate: ModelSpec, group: PairedGroup) -> ShadowPair:
    def side(spec: ModelSpec, results: tuple[AddressResult, ...]) -> ShadowSide:
        model = ServedModel(**spec.model_dump(), track="stable", serving_epoch=0)
        return ShadowSide(model=model, device_ms=0.0, results=results)

    return ShadowPair(
        batch_id="",
        origin=_NOWHERE,
        batch=None,
        candidate=side(candidate, group.candidate),
        reference=side(reference, group.reference),
    )


def _judgement(policy: Policy, golden: GoldenComparison | None) -> Judgement:
    gate = golden_gate(policy.golden, None if golden is None else golden.outcome)
    if gate.status == "passed":
        return Judgement(verdict="pass", code="all_gates_passed", reason=gate.reason, gates=(gate,))
    if gate.status == "failed":
        return Judgement(
            verdict="fail",
            code="golden_failed",
            reason=gate.reason,
            gates=(gate,),
            harmed=(gate.name,),
        )
    missing = gate.status == "undecided"
    return Judgement(
        verdict="inconclusive",
        code="golden_missing" if missing else "",
        reason=gate.reason,
        gates=(gate,),
    )


def _scores(golden: GoldenComparison) -> tuple[ComponentScore, ...]:
    return tuple(
        ComponentScore(
            type=one.type,
            labelled=one.reference.labelled,
            reference_f1=one.reference.f1,
            candidate_f1=one.candidate.f1,
        )
        for one in golden.types
    )


def _disagreements(
    figures: Figures,
    golden: GoldenSet | None,
    ours: Sequence[AddressResult],
    theirs: Sequence[AddressResult],
) -> tuple[Disagreement, ...]:
    """The worst readings: where there are labels, by how much the candidate lost against them."""
    if golden is None:
        return tuple(one.model_copy(update={"origin": None}) for one in figures.disagreements())
    found: list[tuple[float, float, int, Disagreement]] = []
    for place, row in enumerate(golden.rows):
        reference, candidate = ours[place], theirs[place]
        if row.spans is None or reference.status != "ok":
            continue
        labels = tuple(
            Component(type=kind, text=row.text[start:end], start=start, end=end, confidence=1.0)
            for kind, start, end in sorted(row.spans, key=lambda span: span[1])
        )
        truth = AddressResult(id=row.id, text=row.text, status="ok", components=labels)
        before = span_f1(reference, truth)
        after = span_f1(candidate, truth) if candidate.status == "ok" else 0.0
        if after == before:
            continue
        shown = Disagreement(
            text=row.text,
            f1=after,
            slice=f"prov={reference.address.get('prov', '')}",
            reference=reference,
            candidate=candidate,
            expected=labels,
        )
        found.append((after - before, after, place, shown))
    found.sort(key=lambda one: one[:3])
    return tuple(shown for *_, shown in found[:WORST])
