"""What every plot is made of: a fixed box, scales, round ticks, paths. Pure; templates draw it.

Colours and fonts are the page's, so a plot follows light, dark and paper; text stays text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 360
"""User units of a plot: about the pixels of a phone, so that letters keep their size there."""
LEFT: Final = 58
RIGHT: Final = 12
TOP: Final = 14
_TICKS: Final = 4

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark on an axis: where, in user units, and what it says.

    ``anchor`` is the side of its text that stands there, as SVG calls it; empty: by its place.
    """

    at: float
    label: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve.

    Attributes:
        path: SVG path data.
        style: class names of the page.
        label: what it is, for the legend and for screen readers.
    """

    path: str
    style: str
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot in a box of ``WIDTH`` by ``height``.

    Attributes:
        title: what it shows.
        summary: the same as a sentence with figures, for those who cannot see it.
        height: of the box.
        bottom: of the plotting area.
        x: ticks below.
        y: ticks on the left.
        curves: the last on top.
        x_label: what x counts.
        across: horizontal lines with a label each (a threshold).
        upright: vertical lines with a label each.
        strip: a second, narrow area below: its top and bottom, or None.
        dots: the end points of curves, with their style and label.
    """

    title: str
    summary: str
    height: float
    bottom: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    x_label: str
    across: tuple[Tick, ...] = ()
    upright: tuple[Tick, ...] = ()
    strip: tuple[float, float] | None = None
    dots: tuple[tuple[float, float, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to user units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        inside = min(self.high, max(self.low, value))
        part = (inside - self.low) / ((self.high - self.low) or 1.0)
        return self.start + part * (self.end - self.start)


def round_ticks(low: float, high: float, most: int = _TICKS) -> tuple[float, ...]:
    """At most ``most`` + 1 round values in [low, high]: multiples of 1, 2 or 5 times a ten."""
    span = high - low
    if not span > 0:
        return (low,)
    rough = span / most
    ten = 10.0 ** math.floor(math.log10(rough))
    step = next((ten * by for by in (1, 2, 5, 10) if ten * by >= rough), ten * 10)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(number * step for number in range(first, last + 1))


def path(points: Iterable[Point]) -> str:
    """SVG path data through these points."""
    return "".join(
        f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points)
    )
