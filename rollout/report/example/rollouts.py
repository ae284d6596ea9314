"""A made-up rollout at any phase."""

from __future__ import annotations

from contracts.canonical import digest_of
from contracts.control import ServingSet
from contracts.judgement import Accounting, GateResult, Judgement, Verdict
from contracts.phases import Phase
from contracts.rollout import Cut, Rollout
from rollout.decision import decision_record
from rollout.report.data import (
    Renaming,
    ReportData,
    RequestSeen,
    SliceFigures,
    TransitionSeen,
)
from rollout.report.example.gates import history, slice_gates
from rollout.report.example.parts import (
    CANDIDATE,
    CHAIN,
    DISTINCT,
    POLICY,
    PROVINCES,
    REFERENCE,
    components,
    disagreements,
    golden,
    latency,
    served,
)


def rollout_report(
    phase: Phase,
    gates: tuple[GateResult, ...],
    verdict: Verdict,
    code: str,
    reason: str,
    *,
    distinct: int = DISTINCT,
    share_scale: float = 1.0,
) -> ReportData:
    part = distinct / DISTINCT
    slices = tuple(
        SliceFigures(
            name=f"prov={name}",
            addresses=max(1, round(n * part)),
            exact=round(max(1, round(n * part)) * share * share_scale),
            judged=max(1, round(n * part)),
            candidate_errors=2 if n > 4000 else 0,
        )
        for name, (n, share) in PROVINCES.items()
    )
    judged = (*gates, *slice_gates(slices, fired=share_scale < 1))
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
        policy=POLICY,
        policy_digest=digest_of(POLICY),
        share=1.0,
        from_offsets={0: 20, 1: 31},
        started_revision=12,
        started_at="2026-01-02T10:00:00Z",
        requested_by="model team",
        golden=golden(),
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
        chain=CHAIN,
    )
    return ReportData(
        generated_at="2026-01-02T14:00:00Z",
        candidate=CANDIDATE,
        reference=REFERENCE,
        policy=POLICY,
        policy_digest=digest_of(POLICY),
        incarnation="2026-01-01T08:00:00Z/4c1f",
        rollout=rollout,
        phase=phase,
        serving=_serving(phase),
        judgement=judgement,
        cut=cut,
        cuts=160,
        histories=tuple(history(gate, seed) for seed, gate in enumerate(judged)),
        transitions=_transitions(phase, code, reason),
        requests=(
            RequestSeen(
                at="2026-01-02T10:00:00Z", kind="start", accepted=True, requested_by="model team"
            ),
        ),
        decision=decision if ended else None,
        decision_digest=digest_of(decision) if ended else "",
        outcomes=10_380,
        chain=CHAIN,
        disagreements=disagreements(),
        compared=distinct,
        components=components(),
        renamings=(
            Renaming(reference="community", candidate="poi", spans=212),
            Renaming(reference="poi", candidate="subpoi", spans=88),
            Renaming(reference="town", candidate="community", spans=31),
        ),
        slices=slices,
        latency=latency(1.03),
        golden=golden(),
        served=served() if phase == Phase.PROMOTED else (),
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
