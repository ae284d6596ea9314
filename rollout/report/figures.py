"""What a report counts beside the gates, folded from pairs in canonical order. Pure and bounded.

An ``Observer`` of the evidence: the same pairs in the same order give the same figures. It decides
nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Final

from contracts.components import COMPONENT_TYPES
from contracts.events import AddressResult, Component, ShadowPair
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome
from rollout.report.data import (
    ComponentFigures,
    Disagreement,
    LatencyFigures,
    Renaming,
    SliceFigures,
)

WORST: Final = 20
"""Disagreements that are kept."""
_ERRORS: Final = 3
"""Of these, how many without a candidate result, so that readings are seen too."""
_SLICES_MAX: Final = 1000
_RENAMINGS_MAX: Final = 1000
_RENAMINGS_SHOWN: Final = 15
_BATCHES_MAX: Final = 20_000
"""Device batches whose times are kept: of more, a sample drawn by the hash of their names."""

PROBABILITIES: Final = (
    *(number / 100 for number in range(100)),
    *(round(0.99 + number / 1000, 3) for number in range(1, 10)),
    0.9995,
    0.9999,
    1.0,
)
"""Where latency is reported: every percent, then finer toward the slowest."""


@dataclass(slots=True)
class _Slice:
    addresses: int = 0
    exact: int = 0
    judged: int = 0
    candidate_errors: int = 0
    reference_errors: int = 0


@dataclass(slots=True)
class Figures:
    """Takes pairs and batches in; hands out what the report shows.

    Memory: ``WORST`` addresses, ``_BATCHES_MAX`` batches, and one counter per slice, component
    type and pair of types, each with a limit.
    """

    compared: int = 0
    batches: int = 0
    _worst: list[tuple[tuple[float, float, int], Disagreement]] = field(default_factory=list)
    _failed: list[Disagreement] = field(default_factory=list)
    _types: dict[str, Counter[str]] = field(default_factory=dict)
    _renamings: Counter[tuple[str, str]] = field(default_factory=Counter)
    _slices: dict[str, _Slice] = field(default_factory=dict)
    _times: list[tuple[int, float, float]] = field(default_factory=list)

    def pair(self, pair: ShadowPair, outcomes: Sequence[AddressOutcome]) -> None:
        """Take in the addresses of a pair that were seen for the first time."""
        for outcome in outcomes:
            self._count_slice(outcome)
            reference = _at(pair.reference.results, outcome.index)
            candidate = _at(pair.candidate.results, outcome.index)
            if reference is None and pair.reference.error is None and pair.candidate.error:
                # The candidate took the worker down: the reference never ran, the text is lost.
                reference = AddressResult(id="", text=None, status="error")
                self._keep_failure(pair, outcome, reference, pair.candidate.error)
                continue
            if reference is None or reference.status == "error":
                continue
            if candidate is None or candidate.status == "error":
                code = pair.candidate.error or (candidate.error if candidate else None)
                self._keep_failure(pair, outcome, reference, code or "missing")
                continue
            self.compared += 1
            self._count_components(reference.components, candidate.components)
            if outcome.exact is False or (outcome.f1 is not None and outcome.f1 < 1.0):
                self._keep(pair, outcome, reference, candidate)

    def batch(self, outcome: BatchOutcome) -> None:
        """Take in one device batch."""
        if not (outcome.candidate_ms > 0 and outcome.reference_ms > 0):
            return
        self.batches += 1
        # The smallest hashes are a sample that no order of arrival and no restart can change.
        entry = (-_hash(outcome.batch_id), outcome.reference_ms, outcome.candidate_ms)
        if len(self._times) < _BATCHES_MAX:
            heappush(self._times, entry)
        else:
            heappushpop(self._times, entry)

    def disagreements(self) -> tuple[Disagreement, ...]:
        """The worst first: without a result, then by F1, then by how sure the reference was."""
        ranked = sorted(self._worst, key=lambda entry: entry[0], reverse=True)
        return (*self._failed, *(one for _, one in ranked))[:WORST]

    def components(self) -> tuple[ComponentFigures, ...]:
        """By type, in the order in which addresses have them."""
        known = {name: place for place, name in enumerate(COMPONENT_TYPES)}
        names = sorted(self._types, key=lambda name: (known.get(name, len(known)), name))
        return tuple(
            ComponentFigures.model_validate({"type": name, **self._types[name]}) for name in names
        )

    def renamings(self) -> tuple[Renaming, ...]:
        """The most frequent first."""
        ranked = sorted(self._renamings.items(), key=lambda entry: (-entry[1], entry[0]))
        return tuple(
            Renaming(reference=before, candidate=after, spans=spans)
            for (before, after), spans in ranked[:_RENAMINGS_SHOWN]
        )

    def slices(self) -> tuple[SliceFigures, ...]:
        """The largest first."""
        ranked = sorted(self._slices.items(), key=lambda entry: (-entry[1].addresses, entry[0]))
        return tuple(
            SliceFigures(
                name=f"prov={name}",
                addresses=one.addresses,
                exact=one.exact,
                judged=one.judged,
                candidate_errors=one.candidate_errors,
                reference_errors=one.reference_errors,
            )
            for name, one in ranked
        )

    def latency(self) -> LatencyFigures | None:
        """Quantiles of both models and of their ratio; None before the first batch."""
        if not self._times:
            return None
        return latency_figures(
            [(reference, candidate) for _, reference, candidate in self._times], self.batches
        )

    def _count_slice(self, outcome: AddressOutcome) -> None:
        name = outcome.slice
        if name not in self._slices and len(self._slices) >= _SLICES_MAX:
            name = "*"
        one = self._slices.setdefault(name, _Slice())
        one.addresses += 1
        one.candidate_errors += outcome.candidate_error
        one.reference_errors += outcome.reference_error
        if outcome.exact is not None:
            one.judged += 1
            one.exact += outcome.exact

    def _count_components(
        self, reference: Sequence[Component], candidate: Sequence[Component]
    ) -> None:
        for before, kind, after in compare(reference, candidate):
            self._types.setdefault(before, Counter())[kind] += 1
            if kind == "renamed":
                key = (before, after)
                if key in self._renamings or len(self._renamings) < _RENAMINGS_MAX:
                    self._renamings[key] += 1

    def _keep(
        self,
        pair: ShadowPair,
        outcome: AddressOutcome,
        reference: AddressResult,
        candidate: AddressResult,
    ) -> None:
        f1 = outcome.f1 if outcome.f1 is not None else 0.0
        rank = (-f1, reference.confidence or 0.0, outcome.unit)
        if len(self._worst) >= WORST and rank <= self._worst[0][0]:
            return
        shown = Disagreement(
            origin=pair.origin,
            text=reference.text or "",
            f1=f1,
            slice=f"prov={outcome.slice}",
            reference=reference,
            candidate=candidate,
        )
        if any(rank == kept for kept, _ in self._worst):  # a heap compares no disagreements
            return
        if len(self._worst) < WORST:
            heappush(self._worst, (rank, shown))
        else:
            heappushpop(self._worst, (rank, shown))

    def _keep_failure(
        self, pair: ShadowPair, outcome: AddressOutcome, reference: AddressResult, code: str
    ) -> None:
        if len(self._failed) >= _ERRORS:
            return
        self._failed.append(
            Disagreement(
                origin=pair.origin,
                text=reference.text or "",
                f1=0.0,
                slice=f"prov={outcome.slice}",
                reference=reference,
                candidate=AddressResult(
                    id=reference.id, text=reference.text, status="error", error=code
                ),
            )
        )


def compare(
    reference: Sequence[Component], candidate: Sequence[Component]
) -> list[tuple[str, str, str]]:
    """What became of every span: (type, kind, type in the candidate).

    ``kind`` is a field of ``ComponentFigures``. A span of the reference counts once: the same, else
    the same characters under another type, else the same type at bounds that overlap, else lost.
    A span of the candidate that answers none of these is invented, under its own type.
    """
    rest = {(one.start, one.end, one.type) for one in candidate}
    found: list[tuple[str, str, str]] = []
    open_ones: list[Component] = []
    for one in reference:
        if (one.start, one.end, one.type) in rest:
            rest.remove((one.start, one.end, one.type))
            found.append((one.type, "agreed", one.type))
        else:
            open_ones.append(one)
    for one in open_ones:
        same = min((s for s in rest if (s[0], s[1]) == (one.start, one.end)), default=None)
        if same is not None:
            rest.remove(same)
            found.append((one.type, "renamed", same[2]))
            continue
        near = min(
            (s for s in rest if s[2] == one.type and s[0] < one.end and one.start < s[1]),
            default=None,
        )
        if near is not None:
            rest.remove(near)
            found.append((one.type, "moved", one.type))
        else:
            found.append((one.type, "lost", ""))
    found.extend((kind, "invented", kind) for _, _, kind in sorted(rest))
    return found


def latency_figures(times: Sequence[tuple[float, float]], batches: int) -> LatencyFigures:
    """Quantiles of device times.

    Args:
        times: reference and candidate milliseconds of the same batch, above 0.
        batches: how many there were in all.
    """
    return LatencyFigures(
        batches=batches,
        sampled=len(times),
        probabilities=PROBABILITIES,
        reference_ms=_quantiles(sorted(one for one, _ in times)),
        candidate_ms=_quantiles(sorted(one for _, one in times)),
        ratio=_quantiles(sorted(candidate / reference for reference, candidate in times)),
    )


def _quantiles(values: Sequence[float]) -> tuple[float, ...]:
    # The smallest value that at least this part does not exceed: always one that was seen.
    last = len(values) - 1
    return tuple(
        round(values[min(last, max(0, -int(-p * len(values) // 1) - 1))], 6) for p in PROBABILITIES
    )


def _at(results: Sequence[AddressResult], index: int) -> AddressResult | None:
    return results[index] if 0 <= index < len(results) else None


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
