"""Two models against the same labels, address by address. Pure and deterministic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.components import COMPONENT_TYPES
from contracts.events import AddressResult
from contracts.rollout import GoldenOutcome
from rollout.golden.files import GoldenRow, GoldenSet
from rollout.stats.display import mcnemar_p, paired_bootstrap_interval

_SEED: Final = 20261125
"""Of the resampling: the same set and models give the same interval everywhere."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one model made of one labelled address, counted in components.

    Attributes:
        right: components that are exactly as labelled.
        said: components that the model named.
        labelled: components that are labelled.
    """

    right: int
    said: int
    labelled: int

    @property
    def f1(self) -> float:
        """2·right / (said + labelled); 1 when both are empty."""
        total = self.said + self.labelled
        return 2 * self.right / total if total else 1.0

    @property
    def whole(self) -> bool:
        """Every component right and none too many."""
        return self.right == self.said == self.labelled


@dataclass(frozen=True, slots=True)
class TypeScore:
    """One component type over all gating rows: exact components of both models."""

    type: str
    reference: Reading
    candidate: Reading


@dataclass(frozen=True, slots=True)
class StratumScore:
    """Rows that never gate, told apart."""

    stratum: str
    addresses: int
    reference_f1: float
    candidate_f1: float


@dataclass(frozen=True, slots=True)
class GoldenComparison:
    """Everything that the labelled set says about two models.

    Attributes:
        outcome: what the gate judges, over the gating rows.
        deltas: per gating row the candidate's F1 minus the reference's.
        types: component types that occur, in their canonical order.
        strata: the rows that never gate.
    """

    outcome: GoldenOutcome
    deltas: tuple[float, ...]
    types: tuple[TypeScore, ...]
    strata: tuple[StratumScore, ...]


Labels = frozenset[tuple[str, object]]
"""Components as (type, place or text)."""


def expected(row: GoldenRow) -> Labels:
    """What is labelled: (type, (start, end)), or (type, text) where only texts are."""
    if row.spans is not None:
        return frozenset((kind, (start, end)) for kind, start, end in row.spans)
    return frozenset((row.flat or {}).items())


def said(row: GoldenRow, result: AddressResult) -> Labels:
    """What a model said of it, in the same form; nothing where it failed.

    Where only texts are labelled, what the gazetteer completed counts for or against the model
    only if that type is labelled: a label that leaves out what the text does not say is no fault.
    """
    if result.status != "ok":
        return frozenset()
    if row.spans is not None:
        return frozenset((one.type, (one.start, one.end)) for one in result.components)
    flat = row.flat or {}
    completed = set(result.inferred)
    return frozenset(
        (kind, text)
        for kind, text in result.address.items()
        if kind in flat or kind not in completed
    )


def reading(labels: Labels, found: Labels) -> Reading:
    """The counts of one address."""
    return Reading(len(labels & found), len(found), len(labels))


def compare(
    golden: GoldenSet,
    reference: Sequence[AddressResult],
    candidate: Sequence[AddressResult],
) -> GoldenComparison:
    """Judge both models on the set, paired by address.

    Args:
        golden: at least one row of it gates.
        reference: results for its rows, in their order.
        candidate: likewise.

    Raises:
        ValueError: no row gates, or the results are not one for each row.
    """
    rows = list(zip(golden.rows, reference, candidate, strict=True))
    gating = [one for one in rows if one[0].gates]
    if not gating:
        raise ValueError("no row of the golden set gates")
    pairs = [_pair(*one) for one in gating]
    deltas = tuple(theirs.f1 - ours.f1 for ours, theirs in pairs)
    only_candidate = sum(theirs.whole and not ours.whole for ours, theirs in pairs)
    only_reference = sum(ours.whole and not theirs.whole for ours, theirs in pairs)
    return GoldenComparison(
        outcome=GoldenOutcome(
            file_digest=golden.digest,
            addresses=len(gating),
            reference_f1=_mean(ours.f1 for ours, _ in pairs),
            candidate_f1=_mean(theirs.f1 for _, theirs in pairs),
            mean_delta=_mean(deltas),
            interval=paired_bootstrap_interval(deltas, seed=_SEED),
            only_candidate_right=only_candidate,
            only_reference_right=only_reference,
            mcnemar_p=mcnemar_p(only_candidate, only_reference),
        ),
        deltas=deltas,
        types=_types(gating),
        strata=_strata(rows),
    )


def _pair(
    row: GoldenRow, reference: AddressResult, candidate: AddressResult
) -> tuple[Reading, Reading]:
    labels = expected(row)
    return reading(labels, said(row, reference)), reading(labels, said(row, candidate))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _types(
    rows: Sequence[tuple[GoldenRow, AddressResult, AddressResult]],
) -> tuple[TypeScore, ...]:
    labelled: Counter[str] = Counter()
    named: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    right: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for row, *results in rows:
        labels = expected(row)
        labelled.update(kind for kind, _ in labels)
        for side, result in enumerate(results):
            found = said(row, result)
            named[side].update(kind for kind, _ in found)
            right[side].update(kind for kind, _ in found & labels)

    def score(side: int, kind: str) -> Reading:
        return Reading(right[side][kind], named[side][kind], labelled[kind])

    return tuple(
        TypeScore(kind, score(0, kind), score(1, kind))
        for kind in COMPONENT_TYPES
        if labelled[kind] or named[0][kind] or named[1][kind]
    )


def _strata(
    rows: Sequence[tuple[GoldenRow, AddressResult, AddressResult]],
) -> tuple[StratumScore, ...]:
    found: dict[str, list[tuple[Reading, Reading]]] = {}
    for row, reference, candidate in rows:
        if not row.gates:
            found.setdefault(row.stratum, []).append(_pair(row, reference, candidate))
    return tuple(
        StratumScore(
            stratum,
            len(pairs),
            _mean(ours.f1 for ours, _ in pairs),
            _mean(theirs.f1 for _, theirs in pairs),
        )
        for stratum, pairs in sorted(found.items())
    )
