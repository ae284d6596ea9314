"""What an insights report says, as one document: the JSON of the command and the page's content."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.frozen import Frozen

Interval = tuple[float, float]
Movement = Literal["up", "down", "not_shown"]


class Named(Frozen):
    """A name and how many addresses have it."""

    name: str
    addresses: int


class Example(Frozen):
    """One address of a class: masked and cut, or whole where that was asked for."""

    text: str
    start: int
    """First code point of the trouble in ``text``."""
    end: int
    """One past its last."""
    detail: str
    version: str


class ClassFigures(Frozen):
    """One class of trouble in one range."""

    code: str
    title: str
    addresses: int
    """All of them, repeats counted."""
    distinct: int
    """Different normalised addresses."""
    share: float
    """Of the distinct addresses of the range."""
    interval: Interval
    """Wilson's 95% interval of ``share``, for one look."""
    details: tuple[Named, ...] = ()
    versions: tuple[Named, ...] = ()
    sources: tuple[Named, ...] = ()
    examples: tuple[Example, ...] = ()


class ErrorFigures(Frozen):
    """One error code: of addresses, or of records where they are dead letters."""

    code: str
    count: int
    share: float
    interval: Interval
    versions: tuple[Named, ...] = ()


class Moment(Frozen):
    """One stretch of time."""

    at_ms: int
    """Its beginning, epoch milliseconds."""
    addresses: int
    troubled: int
    """Of any class, repeats counted."""


class RangeFigures(Frozen):
    """Everything that was counted in one range of results."""

    label: str
    since: str | None = None
    until: str | None = None
    records: int
    addresses: int
    distinct: int
    """Different normalised addresses; shares are of these."""
    distinct_full: bool = False
    """More came than are told apart: shares are of the first ``distinct`` ones."""
    troubled: ClassFigures
    """Addresses of any class."""
    classes: tuple[ClassFigures, ...]
    """Every class, the most frequent first; those without an address too."""
    errors: tuple[ErrorFigures, ...] = ()
    """Error results; shares are of all addresses."""
    dead_letters: tuple[ErrorFigures, ...] = ()
    """Dead letters; shares are of all records, dead ones included."""
    versions: tuple[Named, ...] = ()
    timeline: tuple[Moment, ...] = ()
    """By when results were written; empty where they come from files."""
    unreadable: int = 0
    """Result records that were skipped because they cannot be read."""


class Change(Frozen):
    """How one share differs between two ranges."""

    kind: Literal["any", "class", "detail", "error", "dead_letter"]
    code: str
    detail: str = ""
    before: float
    after: float
    before_count: int
    after_count: int
    difference: float
    interval: Interval
    """Of the difference; all intervals of a report hold together with 95%."""
    p: float
    """Fisher's exact test, two-sided, of this one alone."""
    p_adjusted: float
    """Holm's, over everything that was compared: below 0.05 something has moved."""
    moved: Movement


class InsightsReport(Frozen):
    """One run of ``mgeo insights``."""

    generated_at: str
    masked: bool
    low_confidence: float
    long_chars: int
    remainder_chars: int
    current: RangeFigures
    baseline: RangeFigures | None = None
    comparison: Literal["versions", "ranges"] | None = None
    compared: int = Field(default=0, ge=0)
    """How many differences were tested together."""
    changes: tuple[Change, ...] = ()
    """What moved first, then the rest, the largest difference first."""
