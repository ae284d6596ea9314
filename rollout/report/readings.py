"""Two readings of one address side by side, as pieces of its text, with what differs marked. Pure.

Long stretches that both read alike are left out, so that a thousand characters stay readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.events import AddressResult, Component
from rollout.report.data import Disagreement

_LONG: Final = 120
"""Characters beyond which alike stretches are left out."""
_CONTEXT: Final = 2
"""Pieces kept on either side of a difference."""
_HEAD, _TAIL = 24, 12

Span = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text in one reading.

    Attributes:
        text: the characters.
        type: the component type; empty where the reading names nothing here.
        differs: the other reading has no such span.
        confidence: of the span; None where there is none.
        left_out: how many characters were left out here; then there is no text.
    """

    text: str
    type: str = ""
    differs: bool = False
    confidence: float | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one model (or the label) says of an address.

    Attributes:
        who: ``reference``, ``candidate`` or ``expected``.
        pieces: the text from left to right.
        error: the error code where there is no reading.
    """

    who: str
    pieces: tuple[Piece, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One key of the flat view that differs."""

    key: str
    reference: str
    candidate: str


def spans(components: Iterable[Component]) -> frozenset[Span]:
    """Type, start and end of each."""
    return frozenset((one.type, one.start, one.end) for one in components)


def readings(one: Disagreement) -> tuple[Reading, ...]:
    """The readings to be shown beside each other, the labels first where there are any."""
    reference, candidate = one.reference, one.candidate
    if one.expected is None:
        return (
            _reading("reference", one.text, reference, spans(candidate.components)),
            _reading("candidate", one.text, candidate, spans(reference.components)),
        )
    truth = spans(one.expected)
    neither = truth - (spans(reference.components) & spans(candidate.components))
    return (
        Reading("expected", _pieces(one.text, one.expected, truth - neither)),
        _reading("reference", one.text, reference, truth),
        _reading("candidate", one.text, candidate, truth),
    )


def changes(one: Disagreement) -> tuple[Change, ...]:
    """The keys of the flat views that differ, in the reference's order; none beside an error."""
    if "error" in {one.reference.status, one.candidate.status}:
        return ()
    before, after = one.reference.address, one.candidate.address
    keys = [*before, *(key for key in after if key not in before)]
    return tuple(
        Change(key, before.get(key, ""), after.get(key, ""))
        for key in keys
        if before.get(key) != after.get(key)
    )


def _reading(who: str, text: str, result: AddressResult, other: frozenset[Span]) -> Reading:
    if result.status == "error":
        return Reading(who, (), result.error or "did not run")
    return Reading(who, _pieces(text, result.components, other))


def _pieces(
    text: str, components: Sequence[Component], other: frozenset[Span]
) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = 0
    for one in sorted(components, key=lambda one: (one.start, one.end)):
        if one.start > at:
            pieces.append(Piece(text[at : one.start]))
        differs = (one.type, one.start, one.end) not in other
        pieces.append(Piece(one.text, one.type, differs, one.confidence))
        at = max(at, one.end)
    if at < len(text):
        pieces.append(Piece(text[at:]))
    return _shortened(pieces) if len(text) > _LONG else tuple(pieces)


def _shortened(pieces: list[Piece]) -> tuple[Piece, ...]:
    different = [number for number, piece in enumerate(pieces) if piece.differs]
    near = {
        number
        for middle in (different or [0])
        for number in range(middle - _CONTEXT, middle + _CONTEXT + 1)
    }
    kept: list[Piece] = []
    for number, piece in enumerate(pieces):
        if number in near:
            kept.extend(_middle_out(piece))
        elif kept and kept[-1].left_out:
            kept[-1] = replace(kept[-1], left_out=kept[-1].left_out + len(piece.text))
        else:
            kept.append(Piece("", left_out=len(piece.text)))
    return tuple(kept)


def _middle_out(piece: Piece) -> Iterable[Piece]:
    over = len(piece.text) - _HEAD - _TAIL
    if over <= _HEAD:
        return [piece]
    head, tail = piece.text[:_HEAD], piece.text[-_TAIL:]
    return [replace(piece, text=head), Piece("", left_out=over), replace(piece, text=tail)]
