"""The units of evidence that judges see. Frozen values; nothing here knows of Kafka."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AddressOutcome:
    """What both models made of one distinct address, at its first occurrence.

    Attributes:
        partition: of the input record.
        offset: of the input record.
        index: of the address in its record.
        unit: 64-bit hash of the normalised text.
        slice: the reference's province, or an empty text.
        exact: whether both flat views are equal. False where only the candidate failed; None
            where the reference failed: then agreement says nothing.
        f1: F1 of the candidate's spans against the reference's, in [0, 1]; None like ``exact``.
        candidate_error: the candidate has no result for it.
        reference_error: the reference has none.
    """

    partition: int
    offset: int
    index: int
    unit: int
    slice: str
    exact: bool | None
    f1: float | None
    candidate_error: bool
    reference_error: bool


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """One device batch, once.

    Attributes:
        batch_id: as the shadow worker named it.
        rows: token sequences in it.
        tokens: padded tokens of it.
        order: which model ran first.
        candidate_ms: time of the candidate on the device, milliseconds.
        reference_ms: likewise.
    """

    batch_id: str
    rows: int
    tokens: int
    order: Literal["candidate_first", "reference_first"]
    candidate_ms: float
    reference_ms: float


@dataclass(frozen=True, slots=True)
class ParityOutcome:
    """A/A: the reference in the shadow against production, for one distinct address.

    Attributes:
        unit: 64-bit hash of the normalised text.
        agrees: whether both flat views are equal.
    """

    unit: int
    agrees: bool
