"""One example of every message, for documents and tests. Made up; nobody lives there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from contracts.audit import AuditRecord, TransitionEntry
from contracts.canonical import digest_of
from contracts.control import RolloutState, ServingSet
from contracts.events import (
    Address,
    AddressBatch,
    AddressResult,
    Component,
    Origin,
    ParsedBatch,
    ServedModel,
    ShadowBatch,
    ShadowPair,
    ShadowSide,
    Timing,
)
from contracts.judgement import Accounting, GateResult, Judgement
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.replies import ReplyTo
from contracts.requests import RolloutRequest, StartRequest
from contracts.rollout import Cut, DecisionRef, Rollout
from contracts.spec import ModelSpec

AT: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TRACEPARENT: Final = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REPLY_TO: Final = ReplyTo(3, "9c1f0b7e", "2f", by_ms=1_767_355_202_000)
_TEXT = "北京市海淀区中关村大街1号"
_FINGERPRINT = "9f86d081884c7d65"

STABLE: Final = ModelSpec(
    version="mgeo-base-v1-20230815",
    digest="sha256:" + "1f" * 32,
    precision="fp16",
    fingerprint=_FINGERPRINT,
)
CANDIDATE: Final = ModelSpec(
    version="mgeo-base-v2-20260101",
    digest="sha256:" + "2e" * 32,
    precision="fp16",
    fingerprint=_FINGERPRINT,
)

ADDRESS_BATCH: Final = AddressBatch(
    batch_id="b-1",
    source="orders",
    addresses=(Address(id="1", text=_TEXT), Address(id="2", text="\u200b")),
)

_ORIGIN = Origin(topic="address.events", partition=3, offset=1234)


def _component(kind: str, start: int, end: int, confidence: float) -> Component:
    return Component(type=kind, text=_TEXT[start:end], start=start, end=end, confidence=confidence)


_PARSED = AddressResult(
    id="1",
    text=_TEXT,
    status="ok",
    components=(
        _component("city", 0, 3, 0.99),
        _component("district", 3, 6, 0.99),
        _component("road", 6, 11, 0.98),
        _component("roadno", 11, 13, 0.99),
    ),
    address={
        "prov": "北京市",
        "city": "北京市",
        "district": "海淀区",
        "road": "中关村大街",
        "roadno": "1号",
    },
    inferred=("prov",),
    adcode="110108",
    confidence=0.97,
)
_EMPTY = AddressResult(id="2", text="\u200b", status="error", error="empty_text")


def served(spec: ModelSpec, *, epoch: int = 7) -> ServedModel:
    """The spec as it stands in a result of the stable track."""
    return ServedModel(
        version=spec.version,
        digest=spec.digest,
        precision=spec.precision,
        fingerprint=spec.fingerprint,
        track="stable",
        serving_epoch=epoch,
    )


PARSED_BATCH: Final = ParsedBatch(
    batch_id="b-1",
    source="orders",
    origin=_ORIGIN,
    model=served(STABLE),
    timing=Timing(queue_ms=12.1, service_ms=8.4, device="NVIDIA H200"),
    results=(_PARSED, _EMPTY),
)

SHADOW_PAIR: Final = ShadowPair(
    batch_id="b-1",
    source="orders",
    origin=_ORIGIN,
    batch=ShadowBatch(id="s-1", rows=64, tokens=1480, order="candidate_first"),
    candidate=ShadowSide(model=served(CANDIDATE), device_ms=8.1, results=(_PARSED, _EMPTY)),
    reference=ShadowSide(model=served(STABLE), device_ms=8.0, results=(_PARSED, _EMPTY)),
    rollout_id="r-20260102-1",
    input_ms=1_767_355_190_000,
)

POLICY: Final = Policy()

CUT: Final = Cut(
    number=42,
    at="2026-01-02T11:40:00.000Z",
    elapsed_ms=6_000_000,
    shadow={0: 9000, 1: 8800},
    parsed={0: 9100, 1: 8900},
    shadow_committed={0: 9000, 1: 8800},
    events={0: 9004, 1: 8801},
)

JUDGEMENT: Final = Judgement(
    verdict="pass",
    code="all_gates_passed",
    reason="all gates have passed",
    gates=(
        GateResult(
            name="exact_match",
            kind="proof",
            status="passed",
            value=0.985,
            bound=0.961,
            threshold=0.95,
            n=17200,
            log_e=9.3,
            log_e_needed=3.69,
            reason="98.5% of 17,200 addresses are the same, at least 96.1%; 95% is needed",
        ),
    ),
    accounting=Accounting(
        sampled=17800,
        paired=17800,
        addresses=21000,
        distinct=17200,
        partitions_with_traffic=2,
        partitions_with_pairs=2,
        oldest_input_ms=1_767_348_000_000,
        newest_input_ms=1_767_353_998_000,
    ),
    proven=("exact_match",),
)

ROLLOUT: Final = Rollout(
    rollout_id="r-20260102-1",
    candidate=CANDIDATE,
    reference=STABLE,
    policy=POLICY,
    policy_digest=digest_of(POLICY),
    attempt=1,
    share=1.0,
    from_offsets={0: 100, 1: 90},
    evidence_from={"shadow": {0: 0, 1: 0}, "parsed": {0: 110, 1: 95}},
    started_revision=2,
    started_at="2026-01-02T10:00:00.000Z",
    requested_by="pipeline 4711",
    phase_entry=11,
    phase_since="2026-01-02T11:41:00.000Z",
    shadowing_since="2026-01-02T10:00:30.000Z",
    step=0,
    served=620,
    share_written=True,
    cut=CUT,
    judgement=JUDGEMENT,
    decision=DecisionRef(digest="sha256:" + "3d" * 32, cut=42),
    code="adopted",
    reason="all 2 partitions hold the candidate",
)

ROLLOUT_STATE: Final = RolloutState(
    incarnation="2026-01-01T08:00:00Z/4c1f",
    revision=12,
    serving=ServingSet(
        stable=STABLE, candidate=CANDIDATE, share=0.05, serving_epoch=7, rollout_id="r-20260102-1"
    ),
    previous=None,
    phase="CANARY",
    updated_at="2026-01-02T12:00:00Z",
    rollout=ROLLOUT,
    next_request_offset=5,
)

ROLLOUT_REQUEST: Final = RolloutRequest(
    request_id="q-1",
    kind="start",
    rollout_id="r-20260102-1",
    requested_at="2026-01-02T10:00:00.000Z",
    expires_at="2026-01-02T10:00:30.000Z",
    requested_by="pipeline 4711",
    expected_entry=None,
    start=StartRequest(candidate=CANDIDATE, policy=POLICY),
)

AUDIT_RECORD: Final = AuditRecord(
    kind="transition",
    incarnation=ROLLOUT_STATE.incarnation,
    revision=11,
    at="2026-01-02T11:41:00.000Z",
    rollout_id=ROLLOUT.rollout_id,
    transition=TransitionEntry(
        previous=Phase.STAGING,
        phase=Phase.CANARY,
        code="adopted",
        reason=ROLLOUT.reason,
        step=0,
        serving=ROLLOUT_STATE.serving,
    ),
    rollout=ROLLOUT,
)
