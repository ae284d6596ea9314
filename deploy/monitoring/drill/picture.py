"""Panels as one SVG picture, from what a real Prometheus answered. Pure.

Not what Grafana would draw: the same expressions in the same groups, to see what to expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 300
_HEIGHT: Final = 120
_GAP: Final = 16
_ACROSS: Final = 3
_TITLE: Final = 20
_LEGEND_LINE: Final = 12
_LINES_SHOWN: Final = 4
_COLOURS: Final = ("#3274d9", "#e0752d", "#37872d", "#a352cc", "#c4162a", "#8f8f8f")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its label and its points, seconds since the beginning and value."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel with what it showed."""

    title: str
    unit: str
    lines: tuple[Line, ...]


def picture(charts: Sequence[Chart], marks: Sequence[tuple[float, str]], seconds: float) -> str:
    """The charts, three abreast, with upright lines where something happened.

    Args:
        charts: in order.
        marks: moments in seconds, and what happened then.
        seconds: of the whole picture.
    """
    box = _TITLE + _HEIGHT + _LINES_SHOWN * _LEGEND_LINE + _GAP
    rows = -(-len(charts) // _ACROSS)
    width, height = _ACROSS * (_WIDTH + _GAP) + _GAP, rows * box + 2 * _GAP + 14
    parts = []
    parts.append(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="9" fill="#222">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    )
    for number, chart in enumerate(charts):
        x = _GAP + number % _ACROSS * (_WIDTH + _GAP)
        y = _GAP + number // _ACROSS * box
        parts.append(f'<g transform="translate({x},{y})">{_chart(chart, marks, seconds)}</g>')
    said = "   ".join(f"{index + 1} {what}" for index, (_, what) in enumerate(marks))
    parts.append(f'<text x="{_GAP}" y="{height - 10}">{escape(said)}</text></svg>\n')
    return "".join(parts)


def _chart(chart: Chart, marks: Sequence[tuple[float, str]], seconds: float) -> str:
    top = max((value for line in chart.lines for _, value in line.points), default=1.0) or 1.0
    parts = []
    parts.append(
        f'<text y="12" font-size="11" font-weight="bold">{escape(chart.title)}</text>'
        f'<text x="{_WIDTH}" y="12" text-anchor="end">{_written(top, chart.unit)}</text>'
        f'<rect y="{_TITLE}" width="{_WIDTH}" height="{_HEIGHT}" fill="#f6f6f6"/>'
    )
    for index, (at, _) in enumerate(marks):
        x = _WIDTH * at / seconds
        parts.append(
            f'<path d="M{x:.0f} {_TITLE}v{_HEIGHT}" stroke="#bbb" stroke-dasharray="2 2"/>'
            f'<text x="{x + 2:.0f}" y="{_TITLE + 9}" fill="#888">{index + 1}</text>'
        )
    for index, line in enumerate(chart.lines):
        colour = _COLOURS[index % len(_COLOURS)]
        parts.append(
            f'<path d="{_path(line, top, seconds)}" fill="none" stroke="{colour}" '
            'stroke-width="1.3"/>'
        )
        if index < _LINES_SHOWN:
            y = _TITLE + _HEIGHT + (index + 1) * _LEGEND_LINE
            parts.append(f'<text y="{y}" fill="{colour}">{escape(line.label[:70])}</text>')
    return "".join(parts)


def _path(line: Line, top: float, seconds: float) -> str:
    steps = []
    before: float | None = None
    for at, value in line.points:
        # A series that was away is a gap, not a line across it.
        pen = "M" if before is None or at - before > 12 else "L"
        y = _TITLE + _HEIGHT * (1 - max(0.0, value) / top)
        steps.append(f"{pen}{_WIDTH * at / seconds:.1f} {y:.1f}")
        before = at
    return "".join(steps)


def _written(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:.0f} %"
    if unit == "bytes":
        return f"{value / 2**20:,.0f} MiB"
    return f"{value:,.3g}" + (" s" if unit == "s" else "")
