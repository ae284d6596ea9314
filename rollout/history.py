"""What has been: rollouts one by one, and what each version served. Pure folds of the logs.

``Rollouts`` reads the audit topic, ``Served`` the topic of results; both stay small however long
the logs are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from contracts.audit import AuditRecord
from contracts.events import ParsedBatch, ServedModel
from contracts.judgement import Verdict
from contracts.phases import ENDED, Phase
from contracts.rollout import GoldenOutcome, Rollout
from contracts.spec import ModelSpec
from rollout.evidence.production import is_input_fault
from rollout.report.data import ServedFigures

_PER_E: Final = 500
"""Bins of a time's logarithm: a P99 is right to a five-hundredth of itself."""
_GROUPS_MAX: Final = 4096
"""Spec, track and epoch: what is beyond is counted under one rest."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One rollout in a line.

    Attributes:
        rollout_id: which.
        candidate: who.
        reference: against whom.
        attempt: the how-many-eth try of this pair.
        requested_by: who asked, as they called themselves.
        started_at: RFC 3339 in UTC.
        ended_at: likewise; empty while it runs.
        phase: the last one that was entered.
        code: why it was entered.
        reason: the same as a sentence.
        verdict: at the last cut; None before the first.
        cuts: how many there were.
        distinct: distinct addresses at the last one.
        decision: digest of the last decision record; empty while there is none.
        golden: the look at the labelled set.
    """

    rollout_id: str
    candidate: ModelSpec | None
    reference: ModelSpec | None
    attempt: int
    requested_by: str
    started_at: str
    ended_at: str
    phase: Phase | None
    code: str
    reason: str
    verdict: Verdict | None
    cuts: int
    distinct: int
    decision: str
    golden: GoldenOutcome | None


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which a model served.

    Attributes:
        track: ``stable`` or ``canary``.
        serving_epoch: of the serving set.
        share: the part of the records that it served.
        since: RFC 3339 in UTC.
        until: likewise; empty while it lasts.
        rollout_id: of the rollout that began it.
    """

    track: str
    serving_epoch: int
    share: float
    since: str
    until: str
    rollout_id: str


@dataclass(slots=True)
class _Running:
    first: Rollout | None = None
    last: Rollout | None = None
    started_at: str = ""
    ended_at: str = ""
    phase: Phase | None = None
    code: str = ""
    reason: str = ""
    verdict: Verdict | None = None
    cuts: int = 0
    distinct: int = 0
    decision: str = ""


@dataclass(slots=True)
class Rollouts:
    """All rollouts of the audit topic, and which model served when."""

    _all: dict[str, _Running] = field(default_factory=dict)
    _periods: dict[str, list[Period]] = field(default_factory=dict)
    _open: dict[tuple[str, str], Period] = field(default_factory=dict)

    def take(self, record: AuditRecord) -> None:
        """Take one record in, in the order of the topic."""
        if not record.rollout_id:
            return
        tells = record.transition is not None or record.cut is not None
        if not tells and record.rollout_id not in self._all:
            return  # a refused request names a rollout that never was
        one = self._all.setdefault(record.rollout_id, _Running())
        if record.rollout is not None:
            one.first = one.first or record.rollout
            one.last = record.rollout
            if record.rollout.decision is not None:
                one.decision = record.rollout.decision.digest
        if record.cut is not None:
            one.cuts += 1
            one.verdict = record.cut.judgement.verdict
            one.distinct = record.cut.judgement.accounting.distinct
        if record.transition is not None:
            entry = record.transition
            one.started_at = one.started_at or record.at
            one.phase, one.code, one.reason = entry.phase, entry.code, entry.reason
            one.ended_at = record.at if entry.phase in ENDED else ""
            self._serve(record)

    def summaries(self) -> tuple[Summary, ...]:
        """Every rollout, the newest first."""
        return tuple(
            Summary(
                rollout_id=rollout_id,
                candidate=None if one.first is None else one.first.candidate,
                reference=None if one.first is None else one.first.reference,
                attempt=1 if one.first is None else one.first.attempt,
                requested_by="" if one.first is None else one.first.requested_by,
                started_at=one.started_at,
                ended_at=one.ended_at,
                phase=one.phase,
                code=one.code,
                reason=one.reason,
                verdict=one.verdict,
                cuts=one.cuts,
                distinct=one.distinct,
                decision=one.decision,
                golden=None if one.first is None else one.first.golden,
            )
            for rollout_id, one in reversed(self._all.items())
        )

    def periods(self, spec: ModelSpec) -> tuple[Period, ...]:
        """When this model served, in order. What served before the first rollout is not known
        from the audit: its first period begins with that rollout."""
        return tuple(self._periods.get(spec.key, ()))

    def specs(self) -> tuple[ModelSpec, ...]:
        """Every model that took part in a rollout, in order of appearance."""
        found: dict[str, ModelSpec] = {}
        for one in self._all.values():
            if one.first is not None:
                for spec in (one.first.reference, one.first.candidate):
                    found.setdefault(spec.key, spec)
        return tuple(found.values())

    def _serve(self, record: AuditRecord) -> None:
        assert record.transition is not None  # noqa: S101  (the caller has looked)
        serving = record.transition.serving
        now: dict[tuple[str, str], float] = {(serving.stable.key, "stable"): 1.0 - serving.share}
        if serving.candidate is not None and serving.share > 0:
            now[(serving.candidate.key, "canary")] = serving.share
        for key, period in list(self._open.items()):
            if now.get(key) == period.share:
                continue
            del self._open[key]
            self._close(key[0], period, record.at)
        for (spec_key, track), share in now.items():
            if (spec_key, track) not in self._open:
                period = Period(
                    track, serving.serving_epoch, share, record.at, "", record.rollout_id
                )
                self._open[(spec_key, track)] = period
                self._periods.setdefault(spec_key, []).append(period)

    def _close(self, spec_key: str, period: Period, at: str) -> None:
        periods = self._periods[spec_key]
        periods[periods.index(period)] = Period(
            period.track, period.serving_epoch, period.share, period.since, at, period.rollout_id
        )


@dataclass(slots=True)
class _Group:
    model: ModelSpec
    track: str
    serving_epoch: int
    records: int = 0
    addresses: int = 0
    errors: int = 0
    confidence: float = 0.0
    confident: int = 0
    times: dict[int, int] = field(default_factory=dict)
    first_ms: int | None = None
    last_ms: int | None = None
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Served:
    """What was served, by model, track and serving epoch.

    Addresses that are at fault themselves are left out, as in the error rate that a rollout is
    judged by: they say nothing about a model.

    Attributes:
        uncounted: results beyond the limit of groups.
    """

    uncounted: int = 0
    _groups: dict[tuple[str, str, int], _Group] = field(default_factory=dict)

    def take(self, batch: ParsedBatch, timestamp_ms: int) -> None:
        """Take one result record in.

        Args:
            batch: the result.
            timestamp_ms: of its record, milliseconds since 1970.
        """
        spec = _spec(batch.model)
        key = (spec.key, batch.model.track, batch.model.serving_epoch)
        if key not in self._groups and len(self._groups) >= _GROUPS_MAX:
            self.uncounted += 1
            return
        one = self._groups.setdefault(key, _Group(spec, key[1], key[2]))
        one.records += 1
        for result in batch.results:
            if is_input_fault(result.status, result.error):
                continue
            one.addresses += 1
            one.errors += result.status == "error"
            if result.confidence is not None:
                one.confidence += result.confidence
                one.confident += 1
        place = round(math.log(max(0.001, batch.timing.service_ms)) * _PER_E)
        one.times[place] = one.times.get(place, 0) + 1
        one.first_ms = timestamp_ms if one.first_ms is None else min(one.first_ms, timestamp_ms)
        one.last_ms = timestamp_ms if one.last_ms is None else max(one.last_ms, timestamp_ms)
        partition, offset = batch.origin.partition, batch.origin.offset
        first, last = one.offsets.get(partition, (offset, offset))
        one.offsets[partition] = (min(first, offset), max(last, offset))

    def figures(self) -> tuple[ServedFigures, ...]:
        """By serving epoch, the stable track first."""
        groups = sorted(
            self._groups.values(),
            key=lambda one: (one.serving_epoch, one.track != "stable", one.model.key),
        )
        return tuple(_figures(one) for one in groups)


def total(figures: Iterable[ServedFigures]) -> tuple[int, int]:
    """Addresses and errors of several together."""
    chosen = list(figures)
    return sum(one.addresses for one in chosen), sum(one.errors for one in chosen)


def _figures(one: _Group) -> ServedFigures:
    return ServedFigures(
        model=one.model,
        track=one.track,
        serving_epoch=one.serving_epoch,
        records=one.records,
        addresses=one.addresses,
        errors=one.errors,
        mean_confidence=round(one.confidence / one.confident, 6) if one.confident else None,
        p99_service_ms=_p99(one.times),
        first_at=_moment(one.first_ms),
        last_at=_moment(one.last_ms),
        offsets=dict(sorted(one.offsets.items())),
    )


def _p99(times: dict[int, int]) -> float | None:
    needed = math.ceil(0.99 * sum(times.values()))
    passed = 0
    for place in sorted(times):
        passed += times[place]
        if passed >= needed:
            return round(math.exp(place / _PER_E), 3)
    return None


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _spec(model: ServedModel) -> ModelSpec:
    return ModelSpec(
        version=model.version,
        digest=model.digest,
        precision=model.precision,
        fingerprint=model.fingerprint,
    )
