"""The report as one HTML page: what templates need, worked out here; no script, nothing loaded.

Addresses are hostile input: everything is escaped by the template engine, and what cannot be seen
or reorders what is seen is spelt out before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from contracts.judgement import GateResult
from contracts.policy import Policy
from rollout.judge.figures import percent, score
from rollout.report import plots, wording
from rollout.report.data import ReportData, SliceFigures
from rollout.report.engine import environment, style
from rollout.report.geometry import Plot, Scale, Tick, round_ticks
from rollout.report.outcome import outcome_of
from rollout.report.readings import Change, Reading, changes, readings
from rollout.stats.display import wilson_interval

_SLICES: Final = 40
"""Slices on the page at most; report.json has all."""
_TINY: Final = 5
"""Slices of fewer addresses are left out, unless a gate judged them: a typing error is one."""
_TRANSITIONS: Final = 200


@dataclass(frozen=True, slots=True)
class Card:
    """One disagreement as it is shown."""

    number: int
    about: str
    text: str
    readings: tuple[Reading, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One slice as it is shown: places in percent of the row's width."""

    title: str
    status: str
    figures: SliceFigures
    value: str
    bound: str
    share: str
    reason: str
    low: float | None
    middle: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Forest:
    """The slices as intervals on one axis.

    Attributes:
        rows: the largest slice first.
        ticks: places in percent, with what they say.
        threshold: its place in percent, or None.
        left_out: slices that are not shown.
    """

    rows: tuple[SliceRow, ...]
    ticks: tuple[Tick, ...]
    threshold: float | None
    threshold_text: str
    left_out: int


def write_page(data: ReportData) -> str:
    """The whole page."""
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            data=data,
            outcome=outcome_of(data),
            gates=gate_groups(data.gates),
            gate_plots=gate_plots(data),
            latency=latency_plots(data),
            latency_rows=latency_rows(data),
            cards=cards(data),
            worst_type=worst_type(data),
            forest=forest(data),
            accounting=accounting_bars(data),
            policy=policy_lines(data.policy),
            transitions=data.transitions[-_TRANSITIONS:],
            transitions_left_out=max(0, len(data.transitions) - _TRANSITIONS),
            words=wording,
            kinds=wording.KIND_WORDS,
            marks=wording.STATUS_MARKS,
            statuses=wording.STATUS_WORDS,
            style=style(),
        )
    )


def gate_groups(gates: Sequence[GateResult]) -> tuple[tuple[str, tuple[GateResult, ...]], ...]:
    """Gates by kind in the order in which people ask for them; slices have their own section."""
    order = ("proof", "guard", "instrument", "golden")
    shown = [gate for gate in gates if not gate.name.startswith("slice:")]
    ordered = sorted(shown, key=lambda gate: order.index(gate.kind))
    return tuple(
        (kind, tuple(group)) for kind, group in groupby(ordered, key=lambda gate: gate.kind)
    )


def gate_plots(data: ReportData) -> tuple[tuple[str, Plot], ...]:
    """Status and plot of every gate that has a history; of slices only those that failed."""
    by_name = {gate.name: gate for gate in data.gates}
    drawn = []
    for history in data.histories:
        gate = by_name.get(history.name)
        if history.name.startswith("slice:") and (gate is None or gate.status != "failed"):
            continue
        plot = plots.gate_plot(history, gate)
        if plot is not None:
            drawn.append((gate.status if gate is not None else "undecided", plot))
    return tuple(drawn)


def latency_plots(data: ReportData) -> tuple[Plot, ...]:
    """The two models' times, and their ratio."""
    if data.latency is None or len(data.latency.probabilities) < 2:
        return ()
    ratio = next((gate for gate in data.gates if gate.name == "latency_ratio"), None)
    limit = ratio.threshold if ratio is not None else data.policy.gates.latency_ratio.max_ratio
    return plots.latency_plot(data.latency), plots.ratio_plot(data.latency, limit)


def latency_rows(data: ReportData) -> tuple[tuple[str, float, float, float], ...]:
    """Percentile, reference, candidate, paired ratio."""
    one = data.latency
    if one is None or not one.probabilities:
        return ()
    return tuple(
        (
            label,
            plots.at(one, one.reference_ms, p),
            plots.at(one, one.candidate_ms, p),
            plots.at(one, one.ratio, p),
        )
        for label, p in (("P50", 0.5), ("P90", 0.9), ("P99", 0.99), ("P99.9", 0.999))
        if one.sampled * (1 - p) >= 1
    )


def cards(data: ReportData) -> tuple[Card, ...]:
    """The worst disagreements."""
    shown = []
    for number, one in enumerate(data.disagreements, 1):
        about = [f"F1 {score(one.f1)}"] if one.f1 is not None else []
        if one.slice:
            about.append(wording.one_line(wording.slice_title(one.slice), 40))
        if one.origin is not None:
            about.append(f"{one.origin.topic} {one.origin.partition}:{one.origin.offset}")
        text = wording.one_line(one.text, 220)
        card = Card(number, " · ".join(about), text, readings(one), changes(one))
        shown.append(card)
    return tuple(shown)


def worst_type(data: ReportData) -> float:
    """The largest disagreement of a component type: what the bars are drawn against."""
    shares = (one.share_agreed for one in data.components)
    return max((1.0 - share for share in shares if share is not None), default=0.0) or 1.0


def forest(data: ReportData) -> Forest | None:
    """The slices as a forest plot; None where there are none."""
    gates = {gate.name.removeprefix("slice:"): gate for gate in data.gates}
    minimum = data.policy.slices.exact_match.min
    told = {name for name, gate in gates.items() if gate.status != "unjudged"}
    shown = [one for one in data.slices if one.addresses >= _TINY or one.name in told][:_SLICES]
    if not shown:
        return None
    whole = sum(one.addresses for one in data.slices) or 1
    intervals = [wilson_interval(one.exact, one.judged) for one in shown]
    lows = [low for low, _ in intervals]
    judged = [
        low for low, one in zip(lows, shown, strict=True) if gates.get(one.name) and one.judged
    ]
    lowest = min([*(judged or lows), minimum])
    axis = Scale(max(0.0, lowest - (1 - lowest) * 0.1 - 0.005), 1.0, 2.0, 98.0)
    rows = []
    for one, (low, high) in zip(shown, intervals, strict=True):
        gate = gates.get(one.name)
        seen = one.judged > 0
        rows.append(
            SliceRow(
                title=wording.one_line(wording.slice_title(one.name), 40),
                status=gate.status if gate is not None else "unjudged",
                figures=one,
                value=percent(one.exact / one.judged) if seen else "–",
                bound=percent(gate.bound) if gate and gate.bound is not None else "–",
                share=percent(one.addresses / whole),
                reason=gate.reason if gate is not None else "",
                low=axis(low) if seen else None,
                middle=axis(one.exact / one.judged) if seen else None,
                high=axis(high) if seen else None,
            )
        )
    return Forest(
        rows=tuple(rows),
        ticks=tuple(
            Tick(axis(value), f"{value * 100:g}%") for value in round_ticks(axis.low, axis.high, 3)
        ),
        threshold=axis(minimum),
        threshold_text=percent(minimum),
        left_out=len(data.slices) - len(shown),
    )


def accounting_bars(data: ReportData) -> tuple[tuple[str, str, int, float], ...]:
    """Style, words, records and percent of all sampled records, by what became of them."""
    if data.judgement is None or not data.judgement.accounting.sampled:
        return ()
    one = data.judgement.accounting
    kinds = (
        ("paired", "with results of both models", one.paired),
        (
            "candidate_failed",
            "without a result of the candidate: counted against it",
            one.candidate_failed,
        ),
        (
            "reference_failed",
            "without a result of the reference: left out of agreement",
            one.reference_failed,
        ),
        ("unreadable", "that nobody can read: left out", one.unreadable),
    )
    return tuple(
        (style, words, number, 100.0 * number / one.sampled) for style, words, number in kinds
    )


def policy_lines(policy: Policy) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The policy as sections of ``name: value``, as in its file."""
    document = policy.model_dump(mode="json")
    return tuple((section, tuple(_flat(values))) for section, values in document.items())


def _flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    if isinstance(values, Mapping):
        for key, value in values.items():
            lines.extend(_flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return lines
    if isinstance(values, list) and any(isinstance(one, Mapping) for one in values):
        for number, value in enumerate(values):
            lines.extend(_flat(value, f"{prefix}[{number}]"))
        return lines
    if isinstance(values, list):
        return [(prefix, ", ".join(map(str, values)))]
    return [
        (
            prefix,
            "null"
            if values is None
            else str(values).lower()
            if isinstance(values, bool)
            else str(values),
        )
    ]
