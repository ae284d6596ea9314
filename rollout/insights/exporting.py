"""The worst addresses as rows to label: few, diverse, each once, never as if they were labelled.

A row carries the model's own reading as a proposal and says ``labelled: false``: readers of golden
sets pass it over until a person has mended it. Even then its stratum never gates.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from contracts.events import AddressResult, ParsedBatch
from rollout.evidence.provinces import slice_of
from rollout.evidence.units import unit_of
from rollout.golden.files import FAILURES
from rollout.insights.classes import CLASSES
from rollout.insights.detect import DEFAULTS, Diagnosis, Thresholds, diagnose
from rollout.insights.personal import Personal
from rollout.insights.picking import Lowest

_LEAST_EACH: Final = 25
_SHARE_OF_EACH: Final = 4
"""For one class and one province a quarter of all rows is kept at most: it bounds the memory."""

_REDACTED_NAME: Final = "某"


@dataclass(frozen=True, slots=True)
class Selected:
    """What is exported: rows as JSON texts, and how many of each class (by its first one)."""

    rows: tuple[str, ...]
    classes: dict[str, int]


class Worst:
    """The worst of a range, in memory that depends on the limit alone.

    Args:
        limit: rows at most.
        classes: only these; default: all.
        thresholds: where trouble begins.
    """

    def __init__(
        self,
        limit: int,
        *,
        classes: Collection[str] = (),
        thresholds: Thresholds = DEFAULTS,
    ) -> None:
        self._limit = limit
        self._thresholds = thresholds
        self._wanted = [one.code for one in CLASSES if not classes or one.code in classes]
        self._each = max(_LEAST_EACH, limit // _SHARE_OF_EACH)
        self._kept: dict[tuple[str, str], Lowest[tuple[int, str]]] = {}
        self.unreadable = 0

    def take(self, batch: ParsedBatch, _at_ms: int | None = None) -> None:
        """Look at one result record. What could not be parsed cannot be labelled either."""
        version = f"{batch.model.version}@{batch.model.precision}"
        for result in batch.results:
            if result.status != "ok" or not result.text:
                continue
            diagnosis = diagnose(result, self._thresholds)
            codes = diagnosis.codes
            if codes:
                unit = unit_of(result.text)
                for code in self._wanted:
                    if code in codes:
                        self._offer(code, result, diagnosis, unit, version)

    def take_letter(self, code: str) -> None:
        """A dead letter has no address to label."""

    def _offer(
        self, code: str, result: AddressResult, diagnosis: Diagnosis, unit: int, version: str
    ) -> None:
        place = (code, slice_of(result.address.get("prov")))
        kept = self._kept.setdefault(place, Lowest(self._each))
        badness = 1.0 if result.confidence is None else result.confidence
        if kept.wants(badness, unit):
            kept.offer(badness, unit, (unit, row(result, diagnosis, unit, version)))

    def select(self) -> Selected:
        """In turn from every class, within it from every province, the worst first.

        Each address once, also where it was read in several ways: labels are of an address.
        """
        turns = {code: self._of_class(code) for code in self._wanted}
        rows: dict[int, str] = {}
        counts: dict[str, int] = {}
        while turns and len(rows) < self._limit:
            for code in list(turns):
                found = next((one for one in turns[code] if one[0] not in rows), None)
                if found is None:
                    del turns[code]
                elif len(rows) < self._limit:
                    unit, text = found
                    rows[unit] = text
                    counts[code] = counts.get(code, 0) + 1
        return Selected(tuple(rows.values()), counts)

    def _of_class(self, code: str) -> Iterator[tuple[int, str]]:
        regions = sorted(place for kind, place in self._kept if kind == code)
        queues = [iter(self._kept[code, region].items()) for region in regions]
        while queues:
            for queue in list(queues):
                found = next(queue, None)
                if found is None:
                    queues.remove(queue)
                else:
                    yield found


def row(result: AddressResult, diagnosis: Diagnosis, unit: int, version: str) -> str:
    """One line of a labelling file; personal data that was found is written over."""
    text = redacted(result.text or "", diagnosis.personal)
    why = sorted("/".join(filter(None, (one.code, one.detail))) for one in diagnosis.findings)
    document: dict[str, Any] = {
        "id": f"{unit:016x}",
        "text": text,
        "components": [
            {"type": one.type, "start": one.start, "end": one.end} for one in result.components
        ],
        "stratum": FAILURES,
        "labelled": False,
        "note": f"{', '.join(dict.fromkeys(why))}; read by {version}",
    }
    return json.dumps(document, ensure_ascii=False)


def redacted(text: str, personal: Collection[Personal]) -> str:
    """The text with phones, cards, mailboxes and names written over; no offset moves."""
    characters = list(text)
    for one in personal:
        for at in range(one.start, one.end):
            character = characters[at]
            if character.isdigit():
                characters[at] = "0"
            elif character.isascii():
                characters[at] = "x" if character.isalpha() else character
            else:
                characters[at] = _REDACTED_NAME
    return "".join(characters)
