"""From one shadow pair to what it says: outcomes of addresses, in a compact form. Pure.

Nothing here looks at another pair: first occurrences and repeats are the fold's business.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final, Literal

from contracts.canonical import canonical_json
from contracts.events import AddressResult, ServedModel, ShadowPair, ShadowSide
from contracts.spec import ModelSpec
from rollout.evidence.outcomes import BatchOutcome
from rollout.evidence.production import flat_hash, is_input_fault
from rollout.evidence.provinces import slice_of
from rollout.evidence.units import unit_of, unit_of_place

RECORD_FAULTS: Final = frozenset(
    {
        "bad_addresses",
        "bad_batch_id",
        "bad_number",
        "bad_source",
        "duplicate_key",
        "empty_batch",
        "empty_record",
        "lone_surrogate",
        "not_an_object",
        "not_json",
        "not_utf8",
        "record_too_large",
        "too_deep",
        "too_many_addresses",
    }
)
"""Why nobody can read a record: no fault of a model's either."""

Kind = Literal["paired", "unreadable", "candidate_failed", "reference_failed", "missing"]


@dataclass(frozen=True, slots=True)
class AddressEvidence:
    """What both models made of one address, wherever else it may have been seen.

    Attributes:
        index: of the address in its record.
        unit: 64-bit hash of the normalised text.
        slice: the reference's province, or an empty text.
        exact: see ``outcomes.AddressOutcome``; so the next three.
        f1: of spans.
        candidate_error: the candidate has no result.
        reference_error: the reference has none.
        flat: 64-bit hash of the reference's flat view, to be compared with production's; 0 where
            the reference has said nothing.
    """

    index: int
    unit: int
    slice: str
    exact: bool | None
    f1: float | None
    candidate_error: bool
    reference_error: bool
    flat: int


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """One record of the sample, by what became of it.

    Attributes:
        partition: of the input record.
        offset: likewise.
        kind: what became of it.
        size: addresses of the record, those with input faults too.
        addresses: those that say something about the models.
        batch: the device batch that finished it; None where both models did not run on one.
        input_ms: timestamp of the input record.
        body: SHA-256 over both sides as they were written.
        source: the pair itself, as its JSON; None unless an observer wants it.
    """

    partition: int
    offset: int
    kind: Kind
    size: int
    addresses: tuple[AddressEvidence, ...]
    batch: BatchOutcome | None
    input_ms: int | None
    body: bytes
    source: bytes | None = None

    @property
    def unsaid(self) -> bool:
        """Whether it does not say which addresses the record has: it crashed the candidate."""
        return self.kind == "candidate_failed" and self.size == 0

    def canonical(self) -> bytes:
        """What the hash chain takes of it: equal exactly when the evidence is."""
        batch = self.batch
        return canonical_json(
            {
                "at": [self.partition, self.offset],
                "kind": self.kind,
                "size": self.size,
                "input_ms": self.input_ms,
                "addresses": [
                    [
                        one.index,
                        one.unit,
                        one.slice,
                        one.exact,
                        one.f1,
                        one.candidate_error,
                        one.reference_error,
                    ]
                    for one in self.addresses
                ],
                "batch": None
                if batch is None
                else [
                    batch.batch_id,
                    batch.rows,
                    batch.tokens,
                    batch.order,
                    batch.candidate_ms,
                    batch.reference_ms,
                ],
                "body": self.body.hex(),
            }
        )


@dataclass(frozen=True, slots=True)
class MissingRecord:
    """A record of the input whose addresses no pair tells: it has none, or it crashed.

    Attributes:
        partition: of the input record.
        offset: likewise.
        units: 64-bit hash of each address, by its place; None for one with an input fault.
            None for all of it when nobody can read the record.
    """

    partition: int
    offset: int
    units: tuple[int | None, ...] | None


def span_f1(candidate: AddressResult, reference: AddressResult) -> float:
    """F1 of spans by (type, start, end): 2|A∩B| / (|A| + |B|), and 1 when both are empty."""
    ours = {(span.type, span.start, span.end) for span in candidate.components}
    theirs = {(span.type, span.start, span.end) for span in reference.components}
    both = len(ours) + len(theirs)
    return 2 * len(ours & theirs) / both if both else 1.0


def is_spec(model: ServedModel, spec: ModelSpec) -> bool:
    """Whether a result was made by exactly this spec."""
    return (
        model.version == spec.version
        and model.digest == spec.digest
        and model.precision == spec.precision
        and model.fingerprint == spec.fingerprint
    )


def evidence_of(pair: ShadowPair, *, keep_source: bool = False) -> PairEvidence:
    """What one pair says.

    Equality of the flat view is equality of ``address`` as it was published, completed keys
    included: it is what people query. Codes, issues and confidences are not compared.
    """
    candidate, reference = pair.candidate, pair.reference
    kind = _kind(candidate, reference)
    addresses = () if kind == "unreadable" else _addresses(pair)
    return PairEvidence(
        partition=pair.origin.partition,
        offset=pair.origin.offset,
        kind=kind,
        size=max(len(candidate.results), len(reference.results)),
        addresses=addresses,
        batch=_batch(pair) if kind == "paired" else None,
        input_ms=pair.input_ms,
        body=_body(candidate, reference),
        source=pair.model_dump_json().encode() if keep_source else None,
    )


def with_addresses(pair: PairEvidence, record: MissingRecord) -> PairEvidence:
    """A record that crashed the candidate, with a failure for each address that it has."""
    if not record.units:
        return pair
    found = evidence_of_missing(record)
    return replace(pair, addresses=found.addresses, size=found.size)


def evidence_of_missing(missing: MissingRecord) -> PairEvidence:
    """A hole in the evidence: a failure of the candidate for every address of the record."""
    addresses = tuple(
        AddressEvidence(index, unit, "", False, 0.0, True, False, 0)
        for index, unit in enumerate(missing.units or ())
        if unit is not None
    )
    return PairEvidence(
        partition=missing.partition,
        offset=missing.offset,
        kind="unreadable" if missing.units is None else "missing",
        size=len(missing.units or ()),
        addresses=addresses,
        batch=None,
        input_ms=None,
        body=b"",
    )


def _kind(candidate: ShadowSide, reference: ShadowSide) -> Kind:
    if candidate.error and candidate.error == reference.error and candidate.error in RECORD_FAULTS:
        return "unreadable"
    if candidate.error:
        return "candidate_failed"
    return "reference_failed" if reference.error else "paired"


def _addresses(pair: ShadowPair) -> tuple[AddressEvidence, ...]:
    origin = pair.origin
    rows = list(zip_longest(pair.candidate.results, pair.reference.results))
    if not rows and pair.candidate.error:
        # Crashed: as long as the record itself is not looked at, it is one address of its own.
        unit = unit_of_place(origin.partition, origin.offset, 0)
        lost = bool(pair.reference.error)
        exact, f1 = (None, None) if lost else (False, 0.0)
        return (AddressEvidence(0, unit, "", exact, f1, True, lost, 0),)
    found = []
    for index, (candidate, reference) in enumerate(rows):
        if _says_nothing(candidate, reference):
            continue
        text = _text(candidate, reference)
        unit = (
            unit_of_place(origin.partition, origin.offset, index) if text is None else unit_of(text)
        )
        candidate_error = candidate is None or candidate.status == "error"
        reference_error = reference is None or reference.status == "error"
        exact, f1 = None, None
        if not reference_error:
            exact, f1 = False, 0.0
            if not candidate_error:
                exact = candidate.address == reference.address
                f1 = span_f1(candidate, reference)
        found.append(
            AddressEvidence(
                index,
                unit,
                "" if reference_error else slice_of(reference.address.get("prov")),
                exact,
                f1,
                candidate_error,
                reference_error,
                0 if reference is None else flat_hash(reference),
            )
        )
    return tuple(found)


def _says_nothing(candidate: AddressResult | None, reference: AddressResult | None) -> bool:
    """The address itself is at fault: both sides say so, or the only side that there is."""
    sides = [side for side in (candidate, reference) if side is not None]
    return (
        all(is_input_fault(side.status, side.error) for side in sides)
        and len({side.error for side in sides}) == 1
    )


def _text(candidate: AddressResult | None, reference: AddressResult | None) -> str | None:
    for side in (reference, candidate):
        if side is not None and side.text is not None:
            return side.text
    return None


def _batch(pair: ShadowPair) -> BatchOutcome | None:
    batch = pair.batch
    if batch is None:
        return None
    return BatchOutcome(
        batch_id=batch.id,
        rows=batch.rows,
        tokens=batch.tokens,
        order=batch.order,
        candidate_ms=pair.candidate.device_ms,
        reference_ms=pair.reference.device_ms,
    )


def _body(*sides: ShadowSide) -> bytes:
    digest = hashlib.sha256()
    for side in sides:
        written = side.model_dump_json().encode()
        digest.update(len(written).to_bytes(8, "big") + written)
    return digest.digest()
