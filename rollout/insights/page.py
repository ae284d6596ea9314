"""An insights report as one HTML page: what the template needs, worked out here. No script.

Examples are hostile input: the template engine escapes everything, and what cannot be seen is spelt
out before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rollout.insights.classes import BY_CODE, TroubleClass
from rollout.insights.data import Change, ClassFigures, InsightsReport, Moment, RangeFigures
from rollout.judge.figures import percent
from rollout.report import wording
from rollout.report.engine import environment, style
from rollout.report.geometry import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Curve,
    Plot,
    Scale,
    Tick,
    path,
    round_ticks,
)

_LEAST_BINS: Final = 3


@dataclass(frozen=True, slots=True)
class Interval:
    """One share with its interval, as places in percent of the row's width."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """One class as a row of the forest."""

    figures: ClassFigures
    now: Interval
    before: Interval | None
    was: str
    moved: str


@dataclass(frozen=True, slots=True)
class Forest:
    """All classes on one axis, and its ticks."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """An example in three pieces: before the trouble, the trouble, after it."""

    before: str
    trouble: str
    after: str
    detail: str
    version: str


@dataclass(frozen=True, slots=True)
class Card:
    """One class told in full."""

    spec: TroubleClass
    figures: ClassFigures
    details: tuple[tuple[str, int, float], ...]
    examples: tuple[Shown, ...]


def write_insights_page(report: InsightsReport) -> str:
    """The whole page."""
    return (
        environment()
        .get_template("insights.html.j2")
        .render(
            report=report,
            current=report.current,
            headline=headline(report.current),
            forest=forest(report),
            moved=[one for one in report.changes if one.moved != "not_shown"],
            changes={(one.kind, one.code): one for one in report.changes},
            cards=cards(report.current),
            plot=timeline_plot(report.current.timeline),
            titles={code: spec.title for code, spec in BY_CODE.items()} | {"any": "Any of them"},
            words=wording,
            style=style("insights.css"),
        )
    )


def headline(figures: RangeFigures) -> str:
    """One sentence that says it all."""
    if not figures.addresses:
        return "No results in this range"
    if not figures.troubled.addresses:
        return "No trouble found"
    return f"{percent(figures.troubled.share)} of the addresses have trouble"


def forest(report: InsightsReport) -> Forest | None:
    """The shares of all classes as intervals; None where there is nothing."""
    before = {} if report.baseline is None else {one.code: one for one in report.baseline.classes}
    shown = [
        one
        for one in report.current.classes
        if one.addresses or (one.code in before and before[one.code].addresses)
    ]
    if not shown:
        return None
    both = [*shown, *(before[one.code] for one in shown if one.code in before)]
    highest = max(max(one.interval[1] if one.distinct else 0.0 for one in both), 0.001)
    axis = Scale(0.0, highest, 1.0, 97.0)
    changed = {one.code: one for one in report.changes if one.kind == "class"}

    def place(one: ClassFigures) -> Interval:
        return Interval(axis(one.interval[0]), axis(one.share), axis(one.interval[1]))

    rows = tuple(
        Row(
            figures=one,
            now=place(one),
            before=place(before[one.code]) if one.code in before else None,
            was=percent(before[one.code].share) if one.code in before else "",
            moved=_arrow(changed.get(one.code)),
        )
        for one in shown
    )
    ticks = tuple(Tick(axis(value), f"{value * 100:g}%") for value in round_ticks(0, highest, 4))
    return Forest(rows, ticks)


def _arrow(change: Change | None) -> str:
    if change is None:
        return ""
    return {"up": "▲", "down": "▼", "not_shown": ""}[change.moved]


def cards(figures: RangeFigures) -> tuple[Card, ...]:
    """Every class that has an address, in full."""
    return tuple(_card(one) for one in figures.classes if one.addresses)


def _card(figures: ClassFigures) -> Card:
    most = max((one.addresses for one in figures.details), default=1)
    return Card(
        spec=BY_CODE[figures.code],
        figures=figures,
        details=tuple(
            (one.name, one.addresses, 100.0 * one.addresses / most) for one in figures.details
        ),
        examples=tuple(
            Shown(
                before=wording.visible(one.text[: one.start]),
                trouble=wording.visible(one.text[one.start : one.end]),
                after=wording.visible(one.text[one.end :]),
                detail=one.detail,
                version=one.version,
            )
            for one in figures.examples
        ),
    )


def timeline_plot(moments: Sequence[Moment]) -> Plot | None:
    """The share of troubled addresses over time; None where time is unknown or too short."""
    if len(moments) < _LEAST_BINS:
        return None
    height, bottom = 190.0, 152.0
    shares = [one.troubled / one.addresses if one.addresses else 0.0 for one in moments]
    first, last = moments[0].at_ms, moments[-1].at_ms
    x = Scale(first, last, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(shares) * 1.12 or 0.01, bottom, TOP)
    places = [(x(one.at_ms), y(share)) for one, share in zip(moments, shares, strict=True)]
    short = last - first < 48 * 3_600_000
    ends = (first, (first + last) // 2, last)
    return Plot(
        title="Troubled addresses over time",
        summary=f"{percent(shares[0])} to {percent(shares[-1])}, at most {percent(max(shares))}",
        height=height,
        bottom=bottom,
        x=tuple(
            Tick(x(at), _clock(at, short), anchor)
            for at, anchor in zip(ends, ("start", "middle", "end"), strict=True)
        ),
        y=tuple(Tick(y(value), f"{value * 100:g}%") for value in round_ticks(0, y.high)),
        curves=(Curve(path(places), "candidate", "share"),),
        x_label="by when results were written, UTC",
        dots=((*places[-1], "candidate", ""),),
    )


def _clock(at_ms: int, short: bool) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%d %b %H:%M" if short else "%d %b")
