"""Made-up reports for documents and tests: no such models, and nobody lives at the addresses.

``python -m rollout.report.example DIRECTORY`` writes the one of ``docs/examples``.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from contracts.canonical import digest_of
from contracts.control import ServingSet
from contracts.events import AddressResult, Component, Origin
from contracts.judgement import Accounting, GateResult, Judgement, Verdict
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Cut, GoldenOutcome, Rollout
from contracts.spec import ModelSpec
from rollout.decision import decision_record
from rollout.report.data import (
    ComponentFigures,
    ComponentScore,
    Disagreement,
    GateHistory,
    HistoryPoint,
    LatencyFigures,
    Renaming,
    ReportData,
    RequestSeen,
    ServedFigures,
    SliceFigures,
    TransitionSeen,
)

REFERENCE: Final = ModelSpec(
    version="mgeo-base-v1-20230815",
    digest="sha256:" + "1f" * 32,
    precision="fp16",
    fingerprint="9f86d081884c7d65",
)
CANDIDATE: Final = ModelSpec(
    version="mgeo-base-v2-20260101",
    digest="sha256:" + "2e" * 32,
    precision="fp16",
    fingerprint="9f86d081884c7d65",
)
_POLICY: Final = Policy.model_validate(
    {
        "gates": {
            "exact_match": {"min": 0.95},
            "span_f1": {"min": 0.98},
            "latency_p99": {"min_batches": 1000},
        },
        "slices": {"exact_match": {"min": 0.90}},
    }
)
"""Stricter than the default, and its own: made-up figures must not change with a default."""
_CHAIN: Final = "sha256:" + "c4" * 32
_DISTINCT: Final = 24_310
_PROVINCES: Final = {
    "浙江省": (6120, 0.991), "广东省": (4480, 0.988), "江苏省": (3900, 0.990),
    "北京市": (2600, 0.992), "上海市": (2210, 0.987), "四川省": (1480, 0.985), "": (1160, 0.979),
    "陕西省": (940, 0.981),
    "内蒙古自治区": (760, 0.974), "新疆维吾尔自治区": (420, 0.962), "海南省": (150, 0.973),
    "西藏自治区": (90, 0.944),
}  # fmt: skip
"""Province to distinct addresses and the share that both read the same."""


def reading(parts: Sequence[tuple[str, str]], confidence: float = 0.97) -> AddressResult:
    """A result whose text is these parts in a row; an empty type is text without a span."""
    components, at = [], 0
    for text, kind in parts:
        if kind:
            components.append(
                Component(type=kind, text=text, start=at, end=at + len(text), confidence=confidence)
            )
        at += len(text)
    flat: dict[str, str] = {}
    for one in components:
        flat.setdefault(one.type, one.text)
    return AddressResult(
        id="1",
        text="".join(text for text, _ in parts),
        status="ok",
        components=tuple(components),
        address=flat,
        confidence=confidence,
    )


def failed(text: str, code: str) -> AddressResult:
    """A result of an address that could not be parsed."""
    return AddressResult(id="1", text=text, status="error", error=code)


def promoted() -> ReportData:
    """A rollout that went all the way."""
    return _rollout(
        Phase.PROMOTED,
        _gates(exact=0.9866, f1=0.9951),
        "pass",
        "all_gates_passed",
        "Both agreement gates are proven at α = 0.05 and no guard fired over 24,310 addresses.",
    )


def aborted() -> ReportData:
    """A candidate that reads house numbers wrongly, thrown out in the shadow."""
    reason = (
        "Exact match is proven to lie below 95.00%: 88.12% over 24,310 addresses "
        "(upper bound 88.71%)."
    )
    return _rollout(
        Phase.ABORTED,
        _gates(exact=0.8812, f1=0.9423),
        "fail",
        "gate_failed",
        reason,
        share_scale=0.9,
    )


def running() -> ReportData:
    """A rollout of which little was seen so far."""
    gates = _gates(exact=0.9866, f1=0.9951, seen=800)
    said = "800 of 2,000 addresses seen; 41 minutes of the least hour are left."
    return _rollout(Phase.SHADOWING, gates, "continue", "still_collecting", said, distinct=800)


def untouched() -> ReportData:
    """A rollout without any traffic: hardly a field is filled."""
    data = running()
    rollout = data.rollout
    assert rollout is not None  # noqa: S101  (made so a line above)
    said = "No address has come since the rollout started."
    return ReportData(
        generated_at=data.generated_at,
        candidate=CANDIDATE,
        reference=REFERENCE,
        policy=_POLICY,
        policy_digest=data.policy_digest,
        phase=Phase.SHADOWING,
        rollout=rollout.model_copy(update={"judgement": None, "cut": None}),
        judgement=Judgement(verdict="no_data", code="no_traffic", reason=said),
        notes=("The topic of results could not be read: what was served is not shown.",),
    )


def comparison() -> ReportData:
    """Two models on labelled addresses, before any traffic."""
    golden = _golden()
    gate = GateResult(
        name="golden",
        kind="golden",
        status="passed",
        value=golden.mean_delta,
        bound=golden.interval[0],
        threshold=-0.002,
        n=golden.addresses,
        reason="Mean F1 rose by 0.41 points over 1,200 labelled addresses.",
    )
    truth = reading([("杭州市", "city"), ("余杭区", "district"), ("文一西路", "road"),
                     ("969号", "roadno"), ("3幢", "houseno"), ("2单元", "cellno")])  # fmt: skip
    before = reading([("杭州市", "city"), ("余杭区", "district"), ("文一西路", "road"),
                      ("969号3幢", "roadno"), ("2单元", "cellno")])  # fmt: skip
    return ReportData(
        kind="comparison",
        generated_at="2026-01-02T14:00:00Z",
        candidate=CANDIDATE,
        reference=REFERENCE,
        policy=_POLICY,
        policy_digest=digest_of(_POLICY),
        judgement=Judgement(
            verdict="pass", code="all_gates_passed", reason=gate.reason, gates=(gate,)
        ),
        golden=golden,
        golden_components=(
            ComponentScore(type="prov", labelled=840, reference_f1=0.991, candidate_f1=0.992),
            ComponentScore(type="district", labelled=1120, reference_f1=0.978, candidate_f1=0.981),
            ComponentScore(type="road", labelled=980, reference_f1=0.941, candidate_f1=0.952),
            ComponentScore(type="houseno", labelled=610, reference_f1=0.902, candidate_f1=0.917),
            ComponentScore(type="devzone", labelled=0),
        ),
        disagreements=(
            Disagreement(
                text=truth.text or "",
                f1=1.0,
                slice="prov=浙江省",
                reference=before,
                candidate=truth,
                expected=truth.components,
            ),
        ),
        slices=tuple(
            SliceFigures(name=f"prov={name}", addresses=n // 20, exact=round(n / 20 * share),
                         judged=n // 20)
            for name, (n, share) in _PROVINCES.items()
        ),
        latency=_latency(1.02),
    )  # fmt: skip


def hostile() -> ReportData:
    """Everything that people have put into address fields to break the page that shows it."""
    texts = (
        "<script>alert(1)</script>杭州市",
        "\"><img src=x onerror=alert('1')>&amp;&lt;",
        "北京市\u202e区淀海\u202c中关村\u200b大街\u2066",
        "一" + "\u0301" * 60 + "号",
        "上海市" + "浦东新区张江高科技园区" * 90 + "1号",
        "{{ 7 * 7 }} {% raw %} ${7*7} | # * _ ` ]]> -->",
        "\ud7ff\ufffe\x00\x1b[31m",
    )
    pairs = []
    for text in texts:
        middle = max(1, len(text) // 2)
        one = reading([(text[:middle], "district"), (text[middle:], "poi")])
        other = reading([(text[: middle - 1] or text[:1], "<b>road</b>"), (text[middle:], "")])
        pairs.append(
            Disagreement(
                origin=Origin(topic="address.events", partition=0, offset=7),
                text=text,
                f1=0.0,
                slice=f"prov={text[:40]}",
                reference=one,
                candidate=other.model_copy(update={"text": text}),
            )
        )
    data = aborted()
    assert data.judgement is not None  # noqa: S101  (made so above)
    gates = tuple(
        GateResult(
            name=f"slice:prov={text[:30]}",
            kind="guard",
            status="failed",
            value=0.5,
            bound=0.6,
            threshold=0.9,
            n=400,
            reason=f"{text[:30]} fell",
        )
        for text in texts
    )
    return data.model_copy(
        update={
            "disagreements": tuple(pairs),
            "judgement": data.judgement.model_copy(
                update={"gates": (*data.gates, *gates), "reason": texts[0]}
            ),
            "rollout": None if data.rollout is None else data.rollout.model_copy(
                update={"requested_by": texts[1], "reason": texts[0]}
            ),
            "requests": (
                RequestSeen(
                    at="2026-01-02T10:00:00Z", kind="start", accepted=False,
                    code="request_unreadable",
                    message=texts[0], requested_by=texts[2],
                ),
            ),
            "slices": tuple(
                SliceFigures(name=f"prov={text[:40]}", addresses=400, exact=200, judged=400)
                for text in texts
            ),
            "notes": texts,
        }
    )  # fmt: skip


EXAMPLES: Final = {
    "promoted": promoted,
    "aborted": aborted,
    "running": running,
    "untouched": untouched,
    "comparison": comparison,
    "hostile": hostile,
}
"""Every made-up report by name."""


def _rollout(
    phase: Phase,
    gates: tuple[GateResult, ...],
    verdict: Verdict,
    code: str,
    reason: str,
    *,
    distinct: int = _DISTINCT,
    share_scale: float = 1.0,
) -> ReportData:
    part = distinct / _DISTINCT
    slices = tuple(
        SliceFigures(
            name=f"prov={name}",
            addresses=max(1, round(n * part)),
            exact=round(max(1, round(n * part)) * share * share_scale),
            judged=max(1, round(n * part)),
            candidate_errors=2 if n > 4000 else 0,
        )
        for name, (n, share) in _PROVINCES.items()
    )
    judged = (*gates, *_slice_gates(slices, fired=share_scale < 1))
    cut = Cut(
        number=160,
        at="2026-01-02T12:00:00Z",
        elapsed_ms=7_200_000,
        shadow={0: 5210, 1: 5190},
        parsed={0: 5300, 1: 5280},
        shadow_committed={0: 5205, 1: 5188},
        events={0: 5310, 1: 5290},
    )
    judgement = Judgement(
        verdict=verdict,
        code=code,
        reason=reason,
        gates=judged,
        accounting=Accounting(
            sampled=round(10_393 * part),
            paired=round(10_380 * part),
            unreadable=round(9 * part),
            candidate_failed=round(4 * part),
            repeated=round(12 * part),
            addresses=round(31_140 * part),
            distinct=distinct,
            partitions_with_traffic=2,
            partitions_with_pairs=2,
            oldest_input_ms=1_767_348_000_000,
            newest_input_ms=1_767_355_200_000,
        ),
        proven=tuple(gate.name for gate in gates if gate.kind == "proof"
                     and gate.status == "passed"),
    )  # fmt: skip
    rollout = Rollout(
        rollout_id="r-20260102-1",
        candidate=CANDIDATE,
        reference=REFERENCE,
        policy=_POLICY,
        policy_digest=digest_of(_POLICY),
        share=1.0,
        from_offsets={0: 20, 1: 31},
        started_revision=12,
        started_at="2026-01-02T10:00:00Z",
        requested_by="model team",
        golden=_golden(),
        phase_entry=19,
        phase_since="2026-01-02T12:00:00Z",
        cut=cut,
        judgement=judgement,
        code=code,
        reason=reason,
    )
    ended = phase != Phase.SHADOWING
    decision = decision_record(
        cluster="2026-01-01T08:00:00Z/4c1f",
        rollout=rollout,
        phase=Phase.PASSED if phase == Phase.PROMOTED else phase,
        cuts=[cut],
        judgement=judgement,
        outcomes=10_380,
        chain=_CHAIN,
    )
    return ReportData(
        generated_at="2026-01-02T14:00:00Z",
        candidate=CANDIDATE,
        reference=REFERENCE,
        policy=_POLICY,
        policy_digest=digest_of(_POLICY),
        incarnation="2026-01-01T08:00:00Z/4c1f",
        rollout=rollout,
        phase=phase,
        serving=_serving(phase),
        judgement=judgement,
        cut=cut,
        cuts=160,
        histories=tuple(_history(gate, seed) for seed, gate in enumerate(judged)),
        transitions=_transitions(phase, code, reason),
        requests=(
            RequestSeen(
                at="2026-01-02T10:00:00Z", kind="start", accepted=True, requested_by="model team"
            ),
        ),
        decision=decision if ended else None,
        decision_digest=digest_of(decision) if ended else "",
        outcomes=10_380,
        chain=_CHAIN,
        disagreements=_disagreements(),
        compared=distinct,
        components=_components(),
        renamings=(
            Renaming(reference="community", candidate="poi", spans=212),
            Renaming(reference="poi", candidate="subpoi", spans=88),
            Renaming(reference="town", candidate="community", spans=31),
        ),
        slices=slices,
        latency=_latency(1.03),
        golden=_golden(),
        served=_served() if phase == Phase.PROMOTED else (),
    )


def _gates(*, exact: float, f1: float, seen: int = _DISTINCT) -> tuple[GateResult, ...]:
    few = seen < 2000

    def proof(name: str, value: float, minimum: float) -> GateResult:
        proven = value > minimum and not few
        width = 0.9 / math.sqrt(seen)
        return GateResult(
            name=name,
            kind="proof",
            status="passed" if proven else "undecided",
            value=value,
            bound=value - width,
            threshold=minimum,
            n=seen,
            log_e=9.1 if proven else 1.2 if value > minimum else -40.0,
            log_e_needed=math.log(20),
            reason=f"{value:.2%} over {seen:,} addresses, at least {value - width:.2%}",
        )

    def harm(name: str, value: float, minimum: float) -> GateResult:
        fired = value < minimum
        width = 1.2 / math.sqrt(seen)
        return GateResult(
            name=name,
            kind="guard",
            status="failed" if fired else "passed",
            value=value,
            bound=value + width,
            threshold=minimum,
            n=seen,
            log_e=96.0 if fired else -3.0,
            log_e_needed=math.log(18_000),
            reason=(
                f"proven to lie below {minimum:.2%}: at most {value + width:.2%}"
                if fired
                else f"not shown to lie below {minimum:.2%}"
            ),
        )

    batches = max(1, seen // 9)
    return (
        proof("exact_match", exact, 0.95),
        proof("span_f1", f1, 0.98),
        harm("harm_exact_match", exact, 0.95),
        harm("harm_span_f1", f1, 0.98),
        GateResult(
            name="error_rate",
            kind="guard",
            status="undecided" if few else "passed",
            value=0.0001,
            bound=0.0007,
            threshold=0.001,
            n=seen,
            log_e=0.4,
            log_e_needed=math.log(18_000),
            reason="not shown to have risen by more than 0.10 points",
        ),
        GateResult(
            name="latency_p99",
            kind="guard",
            status="undecided" if few else "passed",
            value=0.0062,
            bound=0.0091,
            threshold=0.01,
            n=batches,
            log_e=0.9,
            log_e_needed=math.log(18_000),
            reason="0.62 points more batches of the candidate took longer than 14.2 ms",
        ),
        GateResult(
            name="latency_ratio",
            kind="guard",
            status="passed",
            value=1.03,
            bound=1.041,
            threshold=1.10,
            n=batches,
            log_e=0.2,
            log_e_needed=math.log(18_000),
            reason="the median batch took 1.030 times as long",
        ),
        GateResult(
            name="aa",
            kind="instrument",
            status="undecided" if few else "passed",
            value=0.0004,
            bound=0.0021,
            threshold=0.01,
            n=seen - 300,
            log_e=1.9 if few else 14.0,
            log_e_needed=math.log(20),
            reason="shadow and production read 0.04% of addresses differently",
        ),
        GateResult(
            name="golden",
            kind="golden",
            status="passed",
            value=0.0041,
            bound=0.0007,
            threshold=-0.002,
            n=1200,
            reason="mean F1 rose by 0.41 points",
        ),
    )


def _slice_gates(slices: Sequence[SliceFigures], *, fired: bool) -> tuple[GateResult, ...]:
    gates = []
    for one in slices:
        value = one.exact / one.judged
        thin = one.judged < 200
        bad = fired and not thin and value < 0.885
        gates.append(
            GateResult(
                name=f"slice:{one.name}",
                kind="guard",
                status="unjudged" if thin else "failed" if bad else "passed",
                value=value,
                bound=None if thin else min(1.0, value + 1.4 / math.sqrt(one.judged)),
                threshold=0.90,
                n=one.judged,
                log_e=None if thin else 22.0 if bad else -1.0,
                log_e_needed=None if thin else math.log(18_000),
                reason=(
                    f"too thin: {one.judged} of 200 addresses"
                    if thin
                    else f"{value:.2%} over {one.judged:,} addresses"
                ),
            )
        )
    return tuple(gates)


def _history(gate: GateResult, seed: int) -> GateHistory:
    rng = random.Random(seed)  # noqa: S311  (a made-up curve)
    points = []
    steps = 48
    rising = (gate.bound or 0.0) > (gate.value or 0.0)
    for step in range(1, steps + 1):
        part = (step / steps) ** 1.3
        n = max(1, round(gate.n * part))
        wobble = rng.gauss(0, 0.35) * abs((gate.bound or 0) - (gate.value or 0)) / math.sqrt(part)
        value = (gate.value or 0.0) + wobble * (1 - part)
        width = abs((gate.bound or 0.0) - (gate.value or 0.0)) / math.sqrt(part)
        log_e = None
        if gate.log_e is not None:
            log_e = gate.log_e * part + rng.gauss(0, 0.3) * (1 - part)
        points.append(
            HistoryPoint(
                cut=step * 3,
                n=n,
                value=round(value, 6),
                bound=None
                if gate.bound is None
                else round(value + (width if rising else -width), 6),
                log_e=None if log_e is None else round(log_e, 6),
            )
        )
    return GateHistory(
        name=gate.name,
        kind=gate.kind,
        threshold=gate.threshold,
        log_e_needed=gate.log_e_needed,
        points=tuple(points) if gate.name != "golden" else (),
    )


def _golden() -> GoldenOutcome:
    return GoldenOutcome(
        file_digest="sha256:" + "7a" * 32,
        addresses=1200,
        reference_f1=0.9312,
        candidate_f1=0.9353,
        mean_delta=0.0041,
        interval=(0.0007, 0.0076),
        only_candidate_right=61,
        only_reference_right=38,
        mcnemar_p=0.0267,
    )


def _serving(phase: Phase) -> ServingSet:
    if phase == Phase.PROMOTED:
        return ServingSet(stable=CANDIDATE, serving_epoch=8)
    return ServingSet(stable=REFERENCE, serving_epoch=4)


def _transitions(phase: Phase, code: str, reason: str) -> tuple[TransitionSeen, ...]:
    way: list[tuple[Phase, str, int, str, str, ServingSet]] = [
        (Phase.REGISTERED, "10:00:00", 0, "requested", "model team asked for it", _stable(4)),
        (Phase.WARMING, "10:00:01", 0, "registered", "", _stable(4)),
        (Phase.SHADOWING, "10:00:09", 0, "warm", "every partition has a warm shadow", _stable(4)),
    ]
    if phase == Phase.PROMOTED:
        way += [
            (Phase.PASSED, "12:00:00", 0, code, reason, _stable(4)),
            (Phase.STAGING, "12:00:01", 0, "decided", "", _share(0.0, 5)),
            (Phase.CANARY, "12:00:08", 0, "adopted", "all partitions adopted epoch 5",
             _share(0.05, 6)),
            (Phase.CANARY, "12:10:10", 1, "step_done", "10 min, 1,412 results", _share(0.5, 7)),
            (Phase.CUTTING_OVER, "12:20:12", 0, "steps_done", "", _serving(phase)),
            (Phase.BAKING, "12:20:13", 0, "adopted", "all partitions adopted epoch 8",
             _serving(phase)),
            (Phase.PROMOTED, "12:50:15", 0, "baked", "30 min, 18,204 results, no alarm",
             _serving(phase)),
        ]  # fmt: skip
    elif phase == Phase.ABORTED:
        way.append((Phase.ABORTED, "12:00:00", 0, code, reason, _stable(4)))
    return tuple(
        TransitionSeen(
            at=f"2026-01-02T{time}Z",
            revision=12 + number,
            previous=way[number - 1][0] if number else None,
            phase=entered,
            step=step,
            code=why,
            reason=said,
            serving=serving,
        )
        for number, (entered, time, step, why, said, serving) in enumerate(way)
    )


def _stable(epoch: int) -> ServingSet:
    return ServingSet(stable=REFERENCE, serving_epoch=epoch)


def _share(share: float, epoch: int) -> ServingSet:
    return ServingSet(stable=REFERENCE, candidate=CANDIDATE, share=share, serving_epoch=epoch)


def _served() -> tuple[ServedFigures, ...]:
    def one(
        model: ModelSpec, track: str, epoch: int, n: int, times: tuple[str, str]
    ) -> ServedFigures:
        return ServedFigures(
            model=model,
            track=track,
            serving_epoch=epoch,
            records=n // 3,
            addresses=n,
            errors=n // 4000,
            mean_confidence=0.962 if model == CANDIDATE else 0.958,
            p99_service_ms=41.3 if model == CANDIDATE else 40.8,
            first_at=f"2026-01-02T{times[0]}Z",
            last_at=f"2026-01-02T{times[1]}Z",
            offsets={0: (5300 + epoch, 5700 + epoch), 1: (5280 + epoch, 5690 + epoch)},
        )

    return (
        one(REFERENCE, "stable", 6, 26_800, ("12:00:08", "12:10:10")),
        one(CANDIDATE, "canary", 6, 1_412, ("12:00:11", "12:10:09")),
        one(REFERENCE, "stable", 7, 14_105, ("12:10:10", "12:20:12")),
        one(CANDIDATE, "canary", 7, 14_020, ("12:10:10", "12:20:12")),
        one(CANDIDATE, "stable", 8, 18_204, ("12:20:12", "12:50:15")),
    )


def _components() -> tuple[ComponentFigures, ...]:
    counted: Mapping[str, tuple[int, int, int, int, int]] = {
        "prov": (18_020, 0, 2, 4, 3), "city": (22_840, 5, 8, 10, 12),
        "district": (23_410, 12, 20, 22, 15), "town": (6_240, 20, 31, 18, 22),
        "community": (4_120, 60, 212, 41, 30), "road": (19_880, 48, 12, 30, 41),
        "roadno": (18_710, 66, 4, 22, 19), "poi": (15_020, 240, 88, 102, 160),
        "subpoi": (3_220, 71, 12, 50, 44), "houseno": (9_610, 38, 6, 20, 25),
        "cellno": (5_010, 9, 1, 4, 6), "roomno": (7_900, 15, 0, 8, 9),
    }  # fmt: skip
    return tuple(
        ComponentFigures(
            type=name, agreed=one[0], moved=one[1], renamed=one[2], lost=one[3], invented=one[4]
        )
        for name, one in counted.items()
    )


def _latency(slower: float) -> LatencyFigures:
    probabilities = tuple(
        [number / 100 for number in range(100)]
        + [0.99 + number / 1000 for number in range(1, 10)]
        + [0.9995]
    )
    reference = tuple(
        6.1 + 1.3 * p + 0.55 * math.log(1 / max(1e-5, 1 - p)) ** 1.15 for p in probabilities
    )
    candidate = tuple(
        value * slower * (1 + 0.004 * index / 110) for index, value in enumerate(reference)
    )
    ratio = tuple(
        slower + 0.035 * math.log(max(0.002, p) / max(0.002, 1 - p)) / 2 for p in probabilities
    )
    return LatencyFigures(
        batches=2701,
        sampled=2701,
        probabilities=probabilities,
        reference_ms=tuple(round(one, 3) for one in reference),
        candidate_ms=tuple(round(one, 3) for one in candidate),
        ratio=tuple(round(one, 4) for one in ratio),
    )


def _disagreements() -> tuple[Disagreement, ...]:
    shared = [("浙江省", "prov"), ("杭州市", "city"), ("余杭区", "district")]
    pairs = [
        (
            [*shared, ("五常街道", "town"), ("文一西路", "road"), ("969号", "roadno"),
             ("3幢", "houseno"), ("5层", "floorno"), ("501室", "roomno")],
            [*shared, ("五常街道", "town"), ("文一西路", "road"), ("969号3幢", "roadno"),
             ("5层501室", "roomno")],
            "浙江省", 0.59,
        ),
        (
            [("陕西省", "prov"), ("西安市", "city"), ("雁塔区", "district"),
             ("科技园北区", "subpoi"), ("12-3-1001", "roomno")],
            [("陕西省", "prov"), ("西安市", "city"), ("雁塔区", "district"),
             ("科技园", "poi"), ("北区", "district"), ("12", "houseno"), ("-", ""),
             ("3", "cellno"), ("-", ""), ("1001", "roomno")],
            "陕西省", 0.53,
        ),
        (
            [("内蒙古", "prov"), ("呼伦贝尔", "city"), ("海拉尔区", "district"),
             ("胜利街", "road"), ("旁边的小卖部", "assist")],
            [("内蒙古", "prov"), ("呼伦贝尔", "city"), ("海拉尔区胜利", "district"), ("街", ""),
             ("旁边的小卖部", "poi")],
            "内蒙古自治区", 0.44,
        ),
    ]  # fmt: skip
    shown = [
        Disagreement(
            origin=Origin(topic="address.events", partition=number % 2, offset=1200 + 37 * number),
            text=reading(before).text or "",
            f1=f1,
            slice=f"prov={province}",
            reference=reading(before),
            candidate=reading(after, 0.71),
        )
        for number, (before, after, province, f1) in enumerate(pairs)
    ]
    text = "上海市浦东新区世纪大道100号"
    whole = reading([("上海市", "city"), ("浦东新区", "district"), ("世纪大道", "road"),
                     ("100号", "roadno")])  # fmt: skip
    broken = Disagreement(
        origin=Origin(topic="address.events", partition=1, offset=3011),
        text=text,
        f1=0.0,
        slice="prov=上海市",
        reference=whole,
        candidate=failed(text, "candidate_crashed"),
    )
    return (broken, *sorted(shown, key=lambda one: one.f1 or 0.0))


def main(directory: Path) -> None:
    """Write the report of ``docs/examples/report``."""
    from rollout.report.writing import write_report

    for written in write_report(aborted(), directory).paths:
        print(written)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
