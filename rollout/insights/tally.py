"""Counting troubles over a stream of results, in memory that does not grow with it. Pure.

The order of results changes no figure and no example, as long as there are no more different
addresses than are told apart and each is read in one way: of several readings of one address, the
first one stands for it among the distinct ones.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from contracts.events import AddressResult, ParsedBatch
from rollout.evidence.units import UnitSet, unit_of, unit_of_place
from rollout.insights import masking
from rollout.insights.classes import CLASSES
from rollout.insights.counting import NamedCounts
from rollout.insights.data import ClassFigures, ErrorFigures, Example, Moment, Named, RangeFigures
from rollout.insights.detect import DEFAULTS, Diagnosis, Thresholds, diagnose
from rollout.insights.picking import Lowest
from rollout.insights.timeline import Timeline
from rollout.stats.display import wilson_interval

ANY: Final = "any"
"""Addresses of one class or more, counted like a class."""

_SOURCES: Final = 5
"""Publishers named for each class."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a tally keeps at most.

    Attributes:
        distinct: normalised addresses told apart; 32 bytes each.
        examples: for each class.
        seed: decides which ones; the same seed picks the same.
    """

    distinct: int = 1_000_000
    examples: int = 5
    seed: int = 0


@dataclass(slots=True)
class _Class:
    addresses: int = 0
    distinct: int = 0
    details: Counter[str] = field(default_factory=Counter)
    distinct_details: Counter[str] = field(default_factory=Counter)
    versions: NamedCounts = field(default_factory=NamedCounts)
    sources: NamedCounts = field(default_factory=lambda: NamedCounts(256))


class Tally:
    """The counts of one range.

    Args:
        thresholds: where trouble begins.
        bounds: what is kept.
        show_text: examples are whole addresses instead of masked pieces.
    """

    def __init__(
        self,
        thresholds: Thresholds = DEFAULTS,
        bounds: Bounds | None = None,
        *,
        show_text: bool = False,
    ) -> None:
        self._thresholds = thresholds
        self._bounds = bounds or Bounds()
        self._show_text = show_text
        self._units = UnitSet(self._bounds.distinct)
        self._classes = {code: _Class() for code in (ANY, *(one.code for one in CLASSES))}
        self._examples = {one.code: Lowest[Example](self._bounds.examples) for one in CLASSES}
        self._errors = NamedCounts(256)
        self._error_versions: dict[str, NamedCounts] = {}
        self._letters = NamedCounts(256)
        self._versions = NamedCounts()
        self._timeline = Timeline()
        self.records = 0
        self.addresses = 0
        self.dead_letters = 0
        self.unreadable = 0

    def take(self, batch: ParsedBatch, at_ms: int | None = None) -> None:
        """Count one result record; ``at_ms`` is when Kafka took it in, where that is known."""
        self.records += 1
        before = self._classes[ANY].addresses
        version = f"{batch.model.version}@{batch.model.precision}"
        for index, result in enumerate(batch.results):
            unit = (
                unit_of(result.text)
                if result.text is not None
                else unit_of_place(batch.origin.partition, batch.origin.offset, index)
            )
            self._take(result, unit, version, batch.source)
        if at_ms is not None:
            troubled = self._classes[ANY].addresses - before
            self._timeline.add(at_ms, len(batch.results), troubled)

    def take_letter(self, code: str) -> None:
        """Count one dead letter."""
        self.dead_letters += 1
        self._letters.add(code)

    def _take(self, result: AddressResult, unit: int, version: str, source: str) -> None:
        self.addresses += 1
        self._versions.add(version)
        first = self._units.add(unit)
        if result.status != "ok":
            code = result.error or "unknown"
            self._errors.add(code)
            if code in self._error_versions or len(self._error_versions) < self._errors.limit:
                self._error_versions.setdefault(code, NamedCounts()).add(version)
        diagnosis = diagnose(result, self._thresholds)
        if not diagnosis.findings:
            return
        codes = diagnosis.codes
        for code in (ANY, *codes):
            kept = self._classes[code]
            kept.addresses += 1
            kept.distinct += first
            kept.versions.add(version)
            if source:
                kept.sources.add(source)
        for code, detail in {(one.code, one.detail) for one in diagnosis.findings if one.detail}:
            self._classes[code].details[detail] += 1
            self._classes[code].distinct_details[detail] += first
        for code in codes:
            self._offer(code, result, diagnosis, unit, version)

    def _offer(
        self, code: str, result: AddressResult, diagnosis: Diagnosis, unit: int, version: str
    ) -> None:
        rank = _rank(self._bounds.seed, code, unit)
        examples = self._examples[code]
        if not examples.wants(rank, unit):
            return
        finding = next(one for one in diagnosis.findings if one.code == code)
        shown = (
            masking.whole(result, finding)
            if self._show_text
            else masking.masked(result, finding, diagnosis.personal)
        )
        if not shown.text:
            return
        examples.offer(
            rank,
            unit,
            Example(
                text=shown.text,
                start=shown.start,
                end=shown.end,
                detail=finding.detail,
                version=version,
            ),
        )

    @property
    def distinct(self) -> int:
        """Normalised addresses told apart."""
        return len(self._units)

    def distinct_of(self, code: str, detail: str = "") -> int:
        """Distinct addresses of a class, or of one detail of it."""
        kept = self._classes[code]
        return kept.distinct_details[detail] if detail else kept.distinct

    def errors_of(self, code: str) -> int:
        """Error results of a code."""
        return self._errors[code]

    def letters_of(self, code: str) -> int:
        """Dead letters of a code."""
        return self._letters[code]

    @property
    def error_codes(self) -> tuple[str, ...]:
        """Every code of an error result that came."""
        return tuple(name for name, _ in self._errors.largest())

    @property
    def letter_codes(self) -> tuple[str, ...]:
        """Every code of a dead letter that came."""
        return tuple(name for name, _ in self._letters.largest())

    def figures(
        self, label: str, *, since: str | None = None, until: str | None = None
    ) -> RangeFigures:
        """Everything counted so far."""
        classes = [self._class(one.code, one.title) for one in CLASSES]
        order = {one.code: place for place, one in enumerate(CLASSES)}
        classes.sort(key=lambda one: (-one.distinct, -one.addresses, order[one.code]))
        return RangeFigures(
            label=label,
            since=since,
            until=until,
            records=self.records,
            addresses=self.addresses,
            distinct=self.distinct,
            distinct_full=self._units.full,
            troubled=self._class(ANY, "Any of them"),
            classes=tuple(classes),
            errors=tuple(
                ErrorFigures(
                    code=code,
                    count=count,
                    share=count / self.addresses,
                    interval=wilson_interval(count, self.addresses),
                    versions=_named(self._error_versions.get(code, NamedCounts())),
                )
                for code, count in self._errors.largest()
            ),
            dead_letters=tuple(
                ErrorFigures(
                    code=code,
                    count=count,
                    share=count / (self.records + self.dead_letters),
                    interval=wilson_interval(count, self.records + self.dead_letters),
                )
                for code, count in self._letters.largest()
            ),
            versions=_named(self._versions),
            timeline=tuple(
                Moment(at_ms=at_ms, addresses=addresses, troubled=troubled)
                for at_ms, addresses, troubled in self._timeline.bins()
            ),
            unreadable=self.unreadable,
        )

    def _class(self, code: str, title: str) -> ClassFigures:
        kept = self._classes[code]
        return ClassFigures(
            code=code,
            title=title,
            addresses=kept.addresses,
            distinct=kept.distinct,
            share=kept.distinct / self.distinct if self.distinct else 0.0,
            interval=wilson_interval(kept.distinct, self.distinct),
            details=tuple(
                Named(name=name, addresses=count)
                for name, count in sorted(kept.details.items(), key=lambda one: (-one[1], one[0]))
            ),
            versions=_named(kept.versions),
            sources=_named(kept.sources, _SOURCES),
            examples=self._examples[code].items() if code in self._examples else (),
        )


def _named(counts: NamedCounts, most: int | None = None) -> tuple[Named, ...]:
    return tuple(Named(name=name, addresses=count) for name, count in counts.largest(most))


def _rank(seed: int, code: str, unit: int) -> int:
    raw = f"{seed}/{code}/{unit}".encode()
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")
