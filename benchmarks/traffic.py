"""Traffic made of real paired outputs: repeats, bursts of one province, late and lost records.

Addresses are drawn from ``real_pairs`` with replacement; each draw counts as an address of its own
unless it is a repeat. What a candidate does worse than the real one is done by flipping spans.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from benchmarks.real_pairs import RealPair
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
from contracts.policy import Policy
from contracts.rollout import Cut, Rollout
from contracts.spec import ModelSpec
from rollout.evidence.pairing import MissingRecord
from rollout.evidence.units import unit_of

PARTITIONS: Final = 4
START: Final = datetime(2026, 1, 2, tzinfo=UTC)
CUT_SECONDS: Final = 60

Times = Callable[[random.Random], tuple[float, float]]
"""Draws candidate and reference time of one device batch, milliseconds."""


def _spec(digit: str, version: str) -> ModelSpec:
    return ModelSpec(
        version=version, digest="sha256:" + digit * 64, precision="fp32", fingerprint=digit * 16
    )


REFERENCE: Final = _spec("1", "mgeo-starter-v1-20260915")
CANDIDATE: Final = _spec("2", "mgeo-starter-v2-20261015")


def rollout_of(policy: Policy, seed: int, attempt: int = 1) -> Rollout:
    """A rollout of the second release against the first."""
    return Rollout(
        rollout_id=f"r-{seed}",
        candidate=CANDIDATE,
        reference=REFERENCE,
        policy=policy,
        policy_digest="sha256:" + "0" * 64,
        attempt=attempt,
        share=policy.shadow.share,
        from_offsets=dict.fromkeys(range(PARTITIONS), 0),
        started_revision=2,
        started_at=START.isoformat(),
        phase_entry=2,
        phase_since=START.isoformat(),
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """How the traffic is.

    Attributes:
        per_record: addresses in a record.
        repeats: share of addresses that were there before.
        burst: chance that a record begins a burst.
        burst_records: records of one province in a burst.
        rewritten: share of pairs that the shadow writes twice.
        unreadable: share of records that nobody can read.
        unanswered: share of records without a result of production.
        late: records of a partition that the shadow may be behind at a cut.
        losing: share of rollouts in which the candidate loses one record.
        noise: share of addresses on which the reference differs from production.
    """

    per_record: int = 3
    repeats: float = 0.3
    burst: float = 0.02
    burst_records: int = 20
    rewritten: float = 0.02
    unreadable: float = 0.01
    unanswered: float = 0.02
    late: int = 3
    losing: float = 0.02
    noise: float = 0.0005


@dataclass(frozen=True, slots=True)
class Damage:
    """A share of the candidate's answers is spoilt.

    Attributes:
        share: of the addresses that it may strike.
        wrong_only: strikes answers that already differ, and takes all their common spans; else it
            strikes any answer and flips one span.
    """

    share: float = 0.0
    wrong_only: bool = False

    @classmethod
    def to_exact_match(cls, pool: list[RealPair], wanted: float) -> Damage:
        """So much that the share of exact matches is ``wanted``."""
        have = sum(pair.exact for pair in pool) / len(pool)
        return cls(share=_share(1.0 - wanted / have))

    @classmethod
    def to_span_f1(cls, pool: list[RealPair], wanted: float) -> Damage:
        """So much that the mean F1 is ``wanted``, with exact matches left as they are."""
        have = sum(pair.f1 for pair in pool) / len(pool)
        most = sum(pair.f1 for pair in pool if not pair.exact) / len(pool)
        return cls(share=_share((have - wanted) / most), wrong_only=True)

    def done_to(self, pair: RealPair, rng: random.Random) -> RealPair:
        """What the spoilt candidate makes of an address."""
        if self.wrong_only:
            if pair.exact or rng.random() >= self.share:
                return pair
            lost = pair.common
        else:
            if rng.random() >= self.share:
                return pair
            lost = min(1, pair.common)
        return RealPair(
            pair.traffic,
            pair.slice,
            False,
            pair.common - lost,
            pair.reference,
            pair.candidate,
        )


def _share(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError("no damage of this kind leads there")
    return value


def even_times(rng: random.Random) -> tuple[float, float]:
    """Two models that take the same time, on a machine with some noise."""
    base = rng.lognormvariate(2.0, 0.2)
    return base * rng.lognormvariate(0.0, 0.05), base * rng.lognormvariate(0.0, 0.05)


@dataclass(slots=True)
class Delivery:
    """What one cut takes in."""

    cut: Cut
    pairs: list[ShadowPair] = field(default_factory=list)
    parsed: list[ParsedBatch] = field(default_factory=list)
    missing: list[MissingRecord] = field(default_factory=list)


class Pool:
    """Real pairs, ready to be drawn, whole or province by province."""

    def __init__(self, pairs: list[RealPair]) -> None:
        self.pairs = pairs
        by_slice: dict[str, list[RealPair]] = {}
        for pair in pairs:
            by_slice.setdefault(pair.slice, []).append(pair)
        self.by_slice = by_slice


class Traffic:
    """The stream of one rollout, cut by cut, the same for the same seed."""

    def __init__(
        self,
        pool: Pool,
        seed: int,
        *,
        damage: Damage = Damage(),
        shape: Shape = Shape(),
        times: Times = even_times,
        records_per_cut: int = 20,
    ) -> None:
        self._rng = random.Random(f"traffic-{seed}")
        self._pool, self._damage, self._shape, self._times = pool, damage, shape, times
        self._per_cut = records_per_cut
        self._rollout_id = f"r-{seed}"
        self._seen: list[tuple[str, RealPair]] = []
        self._drawn = 0
        self._burst: list[RealPair] = []
        self._burst_left = 0
        self._ends = [0] * PARTITIONS
        self._waiting: list[list[tuple[Any, Any, Any]]] = [[] for _ in range(PARTITIONS)]
        self._passed = [0] * PARTITIONS
        self._loses_at = self._rng.randrange(50, 400) if self._rng.random() < shape.losing else -1
        self._records = 0

    def cuts(self) -> Iterator[Delivery]:
        """One delivery after another, without end."""
        number = 0
        while True:
            number += 1
            at = START + timedelta(seconds=CUT_SECONDS * number)
            for _ in range(self._per_cut):
                self._record(round(at.timestamp() * 1000) - self._rng.randrange(60_000))
            yield self._delivery(number, at)

    def _record(self, input_ms: int) -> None:
        rng, shape = self._rng, self._shape
        partition = rng.randrange(PARTITIONS)
        offset = self._ends[partition]
        self._ends[partition] += 1
        self._records += 1
        origin = Origin.model_construct(topic="address.events", partition=partition, offset=offset)
        if rng.random() < shape.unreadable:
            pair = self._pair(origin, input_ms, [], [], error="not_json")
            self._waiting[partition].append((pair, None, None))
            return
        drawn = [self._draw() for _ in range(shape.per_record)]
        if self._records == self._loses_at:
            units = tuple(unit_of(text) for text, _ in drawn)
            lost = MissingRecord(partition, offset, units)
            self._waiting[partition].append((None, None, lost))
            return
        reference = [_result(text, pair, candidate=False) for text, pair in drawn]
        candidate = [_result(text, pair, candidate=True) for text, pair in drawn]
        pair = self._pair(origin, input_ms, candidate, reference)
        parsed = None
        if rng.random() >= shape.unanswered:
            said = [
                _result(text, made, candidate=False, other=True)
                if rng.random() < shape.noise
                else told
                for (text, made), told in zip(drawn, reference, strict=True)
            ]
            parsed = ParsedBatch.model_construct(
                batch_id="b",
                source="",
                origin=origin,
                model=_served(REFERENCE),
                timing=_TIMING,
                results=tuple(said),
            )
        self._waiting[partition].append((pair, parsed, None))

    def _draw(self) -> tuple[str, RealPair]:
        rng, shape = self._rng, self._shape
        if self._burst_left > 0:
            self._burst_left -= 1
        elif rng.random() < shape.burst / shape.per_record:
            province = rng.choice(self._pool.pairs).slice
            self._burst = self._pool.by_slice[province]
            self._burst_left = shape.burst_records * shape.per_record
        if self._seen and rng.random() < shape.repeats:
            return rng.choice(self._seen)
        source = self._burst if self._burst_left else self._pool.pairs
        pair = self._damage.done_to(rng.choice(source), rng)
        self._drawn += 1
        address = (f"第{self._drawn}条", pair)
        self._seen.append(address)
        return address

    def _pair(
        self,
        origin: Origin,
        input_ms: int,
        candidate: list[AddressResult],
        reference: list[AddressResult],
        error: str | None = None,
    ) -> ShadowPair:
        rng = self._rng
        times = self._times(rng)
        batch = None
        if error is None:
            batch = ShadowBatch.model_construct(
                id=f"{origin.partition}-{origin.offset}",
                rows=max(1, len(candidate)),
                tokens=100,
                order=rng.choice(("candidate_first", "reference_first")),
            )
        return ShadowPair.model_construct(
            batch_id="b",
            source="",
            origin=origin,
            batch=batch,
            candidate=ShadowSide.model_construct(
                model=_served(CANDIDATE), device_ms=times[0], results=tuple(candidate), error=error
            ),
            reference=ShadowSide.model_construct(
                model=_served(REFERENCE), device_ms=times[1], results=tuple(reference), error=error
            ),
            rollout_id=self._rollout_id,
            input_ms=input_ms,
        )

    def _delivery(self, number: int, at: datetime) -> Delivery:
        rng = self._rng
        pairs: list[ShadowPair] = []
        parsed: list[ParsedBatch] = []
        missing: list[MissingRecord] = []
        for partition, waiting in enumerate(self._waiting):
            ready = max(0, len(waiting) - rng.randrange(self._shape.late + 1))
            for pair, batch, lost in waiting[:ready]:
                if pair is not None:
                    pairs.append(pair)
                    if rng.random() < self._shape.rewritten:
                        pairs.append(pair)
                if batch is not None:
                    parsed.append(batch)
                if lost is not None:
                    missing.append(lost)
            del waiting[:ready]
            self._passed[partition] += ready
        rng.shuffle(pairs)
        offsets = dict(enumerate(self._passed))
        cut = Cut(
            number=number,
            at=at.isoformat(),
            elapsed_ms=1000 * CUT_SECONDS * number,
            shadow=offsets,
            parsed=offsets,
            shadow_committed=offsets,
            events=dict(enumerate(self._ends)),
        )
        return Delivery(cut, pairs, parsed, missing)


_TIMING: Final = Timing(queue_ms=1.0, service_ms=1.0, device="none")
_SERVED: Final = {
    spec.version: ServedModel(**spec.model_dump(), track="stable", serving_epoch=1)
    for spec in (REFERENCE, CANDIDATE)
}


def _served(spec: ModelSpec) -> ServedModel:
    return _SERVED[spec.version]


def _result(text: str, pair: RealPair, *, candidate: bool, other: bool = False) -> AddressResult:
    """A result with as many spans, in common and of its own, as the real one has."""
    mine = pair.candidate if candidate else pair.reference
    changed = other or (candidate and not pair.exact)
    template = _template(pair.slice, pair.common, mine, changed, "town" if candidate else "poi")
    return template.model_copy(update={"text": text})


@lru_cache(maxsize=100_000)
def _template(province: str, common: int, all_of_it: int, changed: bool, own: str) -> AddressResult:
    view = {"prov": province} if province else {}
    if changed:
        view["road"] = "x"
    return AddressResult(
        id="1",
        text="",
        status="ok",
        components=tuple(
            Component(
                type="road" if at < common else own, text="x", start=at, end=at + 1, confidence=1.0
            )
            for at in range(all_of_it)
        ),
        address=view,
    )
