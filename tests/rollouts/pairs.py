"""Rollouts, shadow pairs and production's results, made up in a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.events import (
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
from contracts.judgement import Judgement
from contracts.policy import Policy
from contracts.rollout import Cut, Rollout
from contracts.spec import ModelSpec
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome, ParityOutcome
from rollout.judge.look import Look

AT = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
ID = "r-20260102-1"


def spec(version: str = "mgeo-base-v1-20230815", digit: str = "1", **other: Any) -> ModelSpec:
    return ModelSpec(
        **{
            "version": version,
            "digest": "sha256:" + digit * 64,
            "precision": "fp32",
            "fingerprint": digit * 16,
        }
        | other
    )


REFERENCE = spec()
CANDIDATE = spec("mgeo-base-v2-20260101", "2")


def served(model: ModelSpec, *, track: str = "stable", epoch: int = 7) -> ServedModel:
    return ServedModel(**model.model_dump(), track=track, serving_epoch=epoch)


def rollout_of(*, policy: Policy | None = None, **other: Any) -> Rollout:
    policy = policy or Policy()
    return Rollout(
        **{
            "rollout_id": ID,
            "candidate": CANDIDATE,
            "reference": REFERENCE,
            "policy": policy,
            "policy_digest": "sha256:" + "0" * 64,
            "share": policy.shadow.share,
            "from_offsets": {0: 0, 1: 0},
            "started_revision": 2,
            "started_at": AT.isoformat(),
            "phase_entry": 2,
            "phase_since": AT.isoformat(),
        }
        | other
    )


def parsed(text: str, parts: Mapping[str, str] | None = None, **other: Any) -> AddressResult:
    """A good result: each part is a span where it stands in the text."""
    parts = {"prov": text[:1]} if parts is None else parts
    found = []
    for kind, part in parts.items():
        start = text.index(part)
        found.append(
            Component(type=kind, text=part, start=start, end=start + len(part), confidence=0.9)
        )
    return AddressResult(
        **{
            "id": "1",
            "text": text,
            "status": "ok",
            "components": tuple(found),
            "address": dict(parts),
            "confidence": 0.9,
        }
        | other
    )


def failed(text: str | None, code: str = "device_out_of_memory") -> AddressResult:
    return AddressResult(id="1", text=text, status="error", error=code)


def pair_of(
    offset: int,
    candidate: Sequence[AddressResult] = (),
    reference: Sequence[AddressResult] | None = None,
    *,
    partition: int = 0,
    batch: str | None = None,
    times: tuple[float, float] = (8.0, 8.0),
    errors: tuple[str | None, str | None] = (None, None),
    specs: tuple[ModelSpec, ModelSpec] = (CANDIDATE, REFERENCE),
    rollout_id: str = ID,
    topic: str = "address.events",
    input_ms: int | None = AT_MS,
) -> ShadowPair:
    """One pair; by default both sides say the same."""
    both = tuple(candidate), tuple(candidate if reference is None else reference)
    sides = [
        ShadowSide(model=served(model), device_ms=time, results=results, error=error)
        for model, time, results, error in zip(specs, times, both, errors, strict=True)
    ]
    return ShadowPair(
        batch_id="b",
        origin=Origin(topic=topic, partition=partition, offset=offset),
        batch=None
        if batch is None
        else ShadowBatch(id=batch, rows=4, tokens=100, order="candidate_first"),
        candidate=sides[0],
        reference=sides[1],
        rollout_id=rollout_id,
        input_ms=input_ms,
    )


def result_of(
    offset: int,
    results: Sequence[AddressResult],
    *,
    partition: int = 0,
    model: ModelSpec = REFERENCE,
    track: str = "stable",
    epoch: int = 7,
    topic: str = "address.events",
) -> ParsedBatch:
    """One of production's results."""
    return ParsedBatch(
        batch_id="b",
        origin=Origin(topic=topic, partition=partition, offset=offset),
        model=served(model, track=track, epoch=epoch),
        timing=Timing(queue_ms=1, service_ms=1, device="cpu"),
        results=tuple(results),
    )


def cut_of(
    number: int,
    committed: Mapping[int, int],
    *,
    ends: Mapping[int, int] | None = None,
    events: Mapping[int, int] | None = None,
) -> Cut:
    return Cut(
        number=number,
        at=(AT + timedelta(seconds=number)).isoformat(),
        elapsed_ms=1000 * number,
        shadow=dict(ends or {}),
        parsed=dict(ends or {}),
        shadow_committed=dict(committed),
        events=dict(events or committed),
    )


class Witness:
    """Writes down what a judge would be told; its judgement is the last look."""

    def __init__(self) -> None:
        self.addresses: list[AddressOutcome] = []
        self.batches: list[BatchOutcome] = []
        self.parities: list[ParityOutcome] = []
        self.looks: list[Look] = []

    def address(self, outcome: AddressOutcome) -> None:
        self.addresses.append(outcome)

    def batch(self, outcome: BatchOutcome) -> None:
        self.batches.append(outcome)

    def parity(self, outcome: ParityOutcome) -> None:
        self.parities.append(outcome)

    def look(self, look: Look) -> Judgement:
        self.looks.append(look)
        return Judgement(verdict="continue", accounting=look.accounting)
