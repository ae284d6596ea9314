"""The plots of a rollout's report, as points, ticks and lines. Pure; templates draw them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from contracts.judgement import GateResult
from rollout.judge.figures import percent
from rollout.report.data import GateHistory, LatencyFigures
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
from rollout.report.wording import count, gate_words, milliseconds, times


def gate_plot(history: GateHistory, gate: GateResult | None) -> Plot | None:
    """One gate over the evidence: its value and bound, and how near the e-value is to deciding.

    None where there are fewer than two points.
    """
    points = [one for one in history.points if one.n > 0 and one.value is not None]
    if len(points) < 2:
        return None
    words = gate_words(history.name)
    most = max(one.n for one in points)
    bottom, strip = 148.0, (172.0, 204.0)
    x = Scale(0, most, LEFT, WIDTH - RIGHT)
    y = Scale(*_reach(history), bottom, TOP)
    bounded = [one for one in points if one.bound is not None]
    curves = [
        Curve(path((x(one.n), y(one.value or 0.0)) for one in points), "value", "value"),
        Curve(path((x(one.n), y(one.bound or 0.0)) for one in bounded), "bound", "bound"),
    ]
    needed = history.log_e_needed
    told = [one for one in points if one.log_e is not None]
    upright: tuple[Tick, ...] = ()
    if needed and told:
        up = Scale(0, needed * 1.25, strip[1], strip[0])
        reached = path((x(one.n), up(one.log_e or 0.0)) for one in told)
        base = f"L{x(told[-1].n):.1f} {strip[1]:.1f}L{x(told[0].n):.1f} {strip[1]:.1f}Z"
        curves.append(Curve(reached + base, "area", ""))
        curves.append(Curve(reached, "evidence", "evidence"))
        curves.append(
            Curve(path([(LEFT, up(needed)), (WIDTH - RIGHT, up(needed))]), "needed", "needed")
        )
        crossed = next((one.n for one in told if (one.log_e or 0.0) >= needed), None)
        if crossed is not None:
            upright = (Tick(x(crossed), f"decided at {count(crossed)}"),)
    last = points[-1]
    said = "" if gate is None else f"; {gate.reason}" if gate.reason else ""
    threshold = history.threshold
    return Plot(
        title=words.title,
        summary=f"{words.title} after {count(last.n)} {words.unit}: "
        f"{words.figure(last.value or 0.0)}{said}",
        height=strip[1] + 30 if told and needed else bottom + 30,
        bottom=bottom,
        x=tuple(Tick(x(value), _short_count(value)) for value in round_ticks(0, most)),
        y=tuple(
            Tick(y(value), _brief(words.figure(value))) for value in round_ticks(y.low, y.high)
        ),
        curves=tuple(one for one in curves if one.path),
        x_label=words.unit,
        across=() if threshold is None else (Tick(y(threshold), words.figure(threshold)),),
        upright=upright,
        strip=strip if told and needed else None,
        dots=((x(last.n), y(last.value or 0.0), "value", ""),),
    )


def _reach(history: GateHistory) -> tuple[float, float]:
    # The first looks are wild (one address is 0 % or 100 %): they may leave the picture.
    most = max(one.n for one in history.points)
    late = [one for one in history.points if one.n >= most * 0.08]
    values = [value for one in late for value in (one.value, one.bound) if value is not None]
    if history.threshold is not None:
        values.append(history.threshold)
    low, high = min(values), max(values)
    margin = (high - low) * 0.12 or abs(high) * 0.05 or 0.01
    words = gate_words(history.name)
    return max(low - margin, words.least), min(high + margin, words.most)


def latency_plot(latency: LatencyFigures) -> Plot:
    """Time by percentile, both models, with as much room for each nine as for the one before."""
    height, bottom = 214.0, 178.0
    # Beyond one batch in so many there is nothing but the slowest one, again and again.
    known = 1.0 - 1.0 / max(2, latency.sampled)
    top = max(p for p in latency.probabilities if p <= known)
    x = Scale(0, _nines(top), LEFT, WIDTH - RIGHT)
    both = (*latency.reference_ms, *latency.candidate_ms)
    highest = max(both)
    y = Scale(0, highest * 1.06 or 1.0, bottom, TOP)
    marks = [p for p in (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999) if p <= top]

    def curve(values: Sequence[float]) -> str:
        pairs = zip(latency.probabilities, values, strict=True)
        return path((x(_nines(p)), y(value)) for p, value in pairs if p <= top)

    return Plot(
        title="Device time by percentile",
        summary="P99 of the reference "
        f"{milliseconds(at(latency, latency.reference_ms, 0.99))}, of the candidate "
        f"{milliseconds(at(latency, latency.candidate_ms, 0.99))}, over "
        f"{count(latency.batches)} device batches",
        height=height,
        bottom=bottom,
        x=tuple(Tick(x(_nines(p)), _percentile(p)) for p in marks),
        y=tuple(Tick(y(value), _brief(milliseconds(value))) for value in round_ticks(0, y.high)),
        curves=(
            Curve(curve(latency.reference_ms), "reference", "reference"),
            Curve(curve(latency.candidate_ms), "candidate", "candidate"),
        ),
        x_label="percentile",
    )


def ratio_plot(latency: LatencyFigures, limit: float | None) -> Plot:
    """The paired ratio of the same batches, as its distribution function."""
    height, bottom = 214.0, 178.0
    low, high = at(latency, latency.ratio, 0.005), at(latency, latency.ratio, 0.995)
    if limit is not None and limit > 1.0 + 4 * (max(high, 1.1) - 1.0):
        limit = None  # so far away that it would press the curve into a corner
    ends = [low, high, 1.0, *([limit] if limit is not None else [])]
    margin = (max(ends) - min(ends)) * 0.08 or 0.05
    x = Scale(min(ends) - margin, max(ends) + margin, LEFT, WIDTH - RIGHT)
    y = Scale(0, 1, bottom, TOP)
    inside = [
        (ratio, p)
        for ratio, p in zip(latency.ratio, latency.probabilities, strict=True)
        if x.low <= ratio <= x.high
    ]
    median = at(latency, latency.ratio, 0.5)
    upright = [Tick(x(1.0), "equal", "end" if limit is not None and limit > 1.0 else "start")]
    if limit is not None:
        roomy = x(limit) < WIDTH - RIGHT - 70 or limit <= 1.0
        upright.append(Tick(x(limit), f"limit {times(limit)}", "start" if roomy else "end"))
    return Plot(
        title="Paired ratio, batch by batch",
        summary=f"The median batch took the candidate {times(median)} the reference's time",
        height=height,
        bottom=bottom,
        x=tuple(Tick(x(value), f"{value:.2f}") for value in round_ticks(x.low, x.high)),
        y=tuple(Tick(y(value), _brief(percent(value))) for value in (0, 0.25, 0.5, 0.75, 1.0)),
        curves=(Curve(path((x(ratio), y(p)) for ratio, p in inside), "candidate", "batches"),),
        x_label="ratio of device times",
        upright=tuple(upright),
        dots=((x(median), y(0.5), "candidate", f"median {times(median)}"),),
    )


def at(latency: LatencyFigures, values: Sequence[float], probability: float) -> float:
    """The value at the first listed probability that is not below this one."""
    for p, value in zip(latency.probabilities, values, strict=True):
        if p >= probability - 1e-12:
            return value
    return values[-1]


def _nines(probability: float) -> float:
    return -math.log10(max(1e-9, 1.0 - probability))


def _percentile(probability: float) -> str:
    return f"{probability * 100:.4f}".rstrip("0").rstrip(".")


def _brief(text: str) -> str:
    """A figure for an axis: ``95%`` for ``95.00%``."""
    return re.sub(r"\.?0+(?=\D*$)", "", text) if "." in text else text


def _short_count(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
