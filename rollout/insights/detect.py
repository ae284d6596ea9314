"""Which troubles one result has. Pure rules over what results carry: no gazetteer, no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.events import AddressResult
from rollout.insights import scripts, structure
from rollout.insights.classes import (
    DUPLICATED_PREFIX,
    FOREIGN_TEXT,
    LOOKALIKE_CHARACTERS,
    LOW_CONFIDENCE,
    OVER_LONG,
    PERSONAL_DATA,
    REGION_CONFLICT,
    SEVERAL_ADDRESSES,
    UNPARSED_REMAINDER,
)
from rollout.insights.personal import Personal, personal_data
from rollout.insights.view import Finding, View, view_of

TOO_LONG_CODES: Final = frozenset({"text_too_long"})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where trouble begins.

    Attributes:
        low_confidence: an address is uncertain whose chance that all components are right lies
            below it. Of clean addresses 0.3% do with the newer starter release.
        long_chars: code points; of clean generated addresses the longest have about half.
        remainder_chars: letters, digits and hanzi of one stretch outside all components.
    """

    low_confidence: float = 0.25
    long_chars: int = 100
    remainder_chars: int = 3


DEFAULTS: Final = Thresholds()

_NO_PLAIN_ADDRESS: Final = frozenset(
    {
        DUPLICATED_PREFIX,
        FOREIGN_TEXT,
        LOOKALIKE_CHARACTERS,
        OVER_LONG,
        PERSONAL_DATA,
        SEVERAL_ADDRESSES,
        UNPARSED_REMAINDER,
    }
)
_EXPLAINED_BY: Final = {
    # Labelling helps where an address is plain and the model is unsure; elsewhere its cause does.
    LOW_CONFIDENCE: _NO_PLAIN_ADDRESS,
    REGION_CONFLICT: frozenset({SEVERAL_ADDRESSES}),
}
"""What is not counted under a class where another class says why it is so."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything found in one address.

    Attributes:
        findings: in the order of the classes.
        personal: where personal data stands, also for masking.
    """

    findings: tuple[Finding, ...] = ()
    personal: tuple[Personal, ...] = ()

    @property
    def codes(self) -> frozenset[str]:
        """The classes that it belongs to."""
        return frozenset(one.code for one in self.findings)


def diagnose(result: AddressResult, thresholds: Thresholds = DEFAULTS) -> Diagnosis:
    """Look at one result. An error result is only ever over-long: nothing else is known of it."""
    view = view_of(result)
    if view is None:
        if result.error in TOO_LONG_CODES:
            return Diagnosis((Finding(OVER_LONG, "", 0, 0),))
        return Diagnosis()
    personal = personal_data(view)
    return Diagnosis(tuple(_findings(view, personal, thresholds)), personal)


def _findings(view: View, personal: tuple[Personal, ...], thresholds: Thresholds) -> list[Finding]:
    uncertain = list(structure.low_confidence(view, thresholds.low_confidence))
    found = [
        *structure.no_province(view),
        *structure.region_conflict(view),
        *structure.unparsed_remainder(view, personal, thresholds.remainder_chars, bool(uncertain)),
        *uncertain,
        *structure.duplicated_prefix(view),
        *(Finding(PERSONAL_DATA, one.kind, one.start, one.end) for one in personal),
        *scripts.foreign_text(view, personal),
    ]
    if len(view.text) > thresholds.long_chars:
        found.append(Finding(OVER_LONG, "", thresholds.long_chars, len(view.text)))
    found += scripts.lookalikes(view)
    found += structure.several_addresses(view)
    codes = {one.code for one in found}
    return [one for one in found if codes.isdisjoint(_EXPLAINED_BY.get(one.code, ()))]
