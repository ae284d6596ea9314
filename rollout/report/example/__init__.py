"""Made-up reports for documents and tests: no such models, and nobody lives at the addresses.

``python -m rollout.report.example DIRECTORY`` writes the one of ``docs/examples``.
"""

from __future__ import annotations

from typing import Final

from contracts.canonical import digest_of
from contracts.events import Origin
from contracts.judgement import GateResult, Judgement
from contracts.phases import Phase
from rollout.report.data import (
    ComponentScore,
    Disagreement,
    ReportData,
    RequestSeen,
    SliceFigures,
)
from rollout.report.example.gates import gates
from rollout.report.example.parts import (
    CANDIDATE,
    POLICY,
    PROVINCES,
    REFERENCE,
    failed,
    golden,
    latency,
    reading,
)
from rollout.report.example.rollouts import rollout_report

__all__ = [
    "CANDIDATE",
    "EXAMPLES",
    "REFERENCE",
    "aborted",
    "comparison",
    "failed",
    "hostile",
    "promoted",
    "reading",
    "running",
    "untouched",
]


def promoted() -> ReportData:
    """A rollout that went all the way."""
    return rollout_report(
        Phase.PROMOTED,
        gates(exact=0.9866, f1=0.9951),
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
    return rollout_report(
        Phase.ABORTED,
        gates(exact=0.8812, f1=0.9423),
        "fail",
        "gate_failed",
        reason,
        share_scale=0.9,
    )


def running() -> ReportData:
    """A rollout of which little was seen so far."""
    few = gates(exact=0.9866, f1=0.9951, seen=800)
    said = "800 of 2,000 addresses seen; 41 minutes of the least hour are left."
    return rollout_report(Phase.SHADOWING, few, "continue", "still_collecting", said, distinct=800)


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
        policy=POLICY,
        policy_digest=data.policy_digest,
        phase=Phase.SHADOWING,
        rollout=rollout.model_copy(update={"judgement": None, "cut": None}),
        judgement=Judgement(verdict="no_data", code="no_traffic", reason=said),
        notes=("The topic of results could not be read: what was served is not shown.",),
    )


def comparison() -> ReportData:
    """Two models on labelled addresses, before any traffic."""
    look = golden()
    gate = GateResult(
        name="golden",
        kind="golden",
        status="passed",
        value=look.mean_delta,
        bound=look.interval[0],
        threshold=-0.002,
        n=look.addresses,
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
        policy=POLICY,
        policy_digest=digest_of(POLICY),
        judgement=Judgement(
            verdict="pass", code="all_gates_passed", reason=gate.reason, gates=(gate,)
        ),
        golden=look,
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
            for name, (n, share) in PROVINCES.items()
        ),
        latency=latency(1.02),
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
