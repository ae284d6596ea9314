"""The report as a comment for a merge request: short, aligned, without any address. Pure.

Comments are mailed and mirrored widely; addresses are personal data and stay in the page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from contracts.judgement import GateResult
from rollout.judge.figures import percent
from rollout.report.data import ReportData
from rollout.report.outcome import outcome_of
from rollout.report.plots import at
from rollout.report.wording import (
    STATUS_MARKS,
    STATUS_WORDS,
    count,
    figure,
    gate_words,
    milliseconds,
    moment,
    one_line,
    points,
    sentence,
    span_of_time,
    threshold_words,
    times,
)

_SIGNS: Final = {"good": "✅", "bad": "❌", "open": "⚠️", "running": "⏳"}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|#!~$@&])")
_SLICES: Final = 8
"""Slices in the comment at most: the worst ones."""


def write_markdown(data: ReportData) -> str:
    """The comment's text, ending in a newline."""
    outcome = outcome_of(data)
    subject = f"{data.candidate.name} against {data.reference.name}"
    parts = [
        f"### {_SIGNS[outcome.tone]} {escape(outcome.headline)}: {escape(subject)}",
        *([escape(sentence(outcome.why, 500), 600)] if outcome.why else []),
        *_gates(data),
        *_slices(data),
        *_latency(data),
        *_golden(data),
        _facts(data),
        *(f"> {escape(note)}" for note in data.notes),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: str, limit: int = 300) -> str:
    """Text that Markdown shows as it is, on one line, notifying nobody."""
    return _SPECIAL.sub(r"\\\1", one_line(text, limit))


def _code(text: str) -> str:
    """Text as a piece of code: there a backtick alone is special, and no escape counts."""
    return "`" + one_line(text).replace("`", "'") + "`"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table whose columns stand in line in the source too; hanzi count double."""
    widths = [max(_width(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            " " * (width - _width(cell)) + cell
            if column in right
            else cell + " " * (width - _width(cell))
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = (
        "-" * (width - 1) + ":" if column in right else "-" * width
        for column, width in enumerate(widths)
    )
    return "\n".join([line(head), f"| {' | '.join(rule)} |", *map(line, rows)])


def _width(text: str) -> int:
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def _gates(data: ReportData) -> list[str]:
    shown = [gate for gate in data.gates if not gate.name.startswith("slice:")]
    if not shown:
        return []
    rows = [
        (
            f"{STATUS_MARKS[gate.status]} {STATUS_WORDS[gate.status]}",
            f"{escape(gate_words(gate.name).title, 60)} ({_code(gate.name)})",
            figure(gate, gate.value),
            figure(gate, gate.bound),
            threshold_words(gate),
            count(gate.n),
        )
        for gate in shown
    ]
    return [table(("", "gate", "value", "bound", "threshold", "n"), rows, right=(2, 3, 4, 5))]


def _slices(data: ReportData) -> list[str]:
    slices = [gate for gate in data.gates if gate.name.startswith("slice:")]
    if not slices:
        return []
    thin = sum(gate.status == "unjudged" for gate in slices)
    judged = [gate for gate in slices if gate.status != "unjudged"]
    failed = sum(gate.status == "failed" for gate in judged)
    said = f"**Slices:** {len(judged)} judged, {failed} failed, {thin} too thin to judge."
    worst = sorted(judged, key=_badness)[:_SLICES]
    if not worst:
        return [said]
    rows = [
        (
            f"{STATUS_MARKS[gate.status]} {STATUS_WORDS[gate.status]}",
            escape(gate_words(gate.name).title, 40),
            figure(gate, gate.value),
            figure(gate, gate.bound),
            threshold_words(gate),
            count(gate.n),
        )
        for gate in worst
    ]
    head = ("", "worst slices", "value", "bound", "threshold", "n")
    return [said, table(head, rows, right=(2, 3, 4, 5))]


def _badness(gate: GateResult) -> tuple[bool, float]:
    return (gate.status != "failed", gate.value if gate.value is not None else 1.0)


def _latency(data: ReportData) -> list[str]:
    one = data.latency
    if one is None:
        return []
    rows = [
        (
            label,
            milliseconds(at(one, one.reference_ms, p)),
            milliseconds(at(one, one.candidate_ms, p)),
            times(at(one, one.ratio, p)),
        )
        for label, p in (("P50", 0.5), ("P90", 0.9), ("P99", 0.99))
        if one.sampled * (1 - p) >= 1
    ]
    if not rows:
        return []
    head = (f"device time, {count(one.batches)} batches", "reference", "candidate", "paired ratio")
    return [table(head, rows, right=(1, 2, 3))]


def _golden(data: ReportData) -> list[str]:
    one = data.golden
    if one is None:
        return []
    low, high = one.interval
    change = f"mean change {points(one.mean_delta)}"
    interval = f"95% interval {points(low)} to {points(high)}"
    scores = f"{percent(one.reference_f1)} → {percent(one.candidate_f1)}"
    said = f"{count(one.addresses)} labelled addresses, F1 {scores}, {change} ({interval})."
    return [f"**Golden set:** {said}"]


def _facts(data: ReportData) -> str:
    facts = []
    if data.rollout is not None:
        name = _code(data.rollout.rollout_id)
        facts.append(f"rollout {name}, attempt {data.rollout.attempt}")
        lasted = span_of_time(data.rollout.started_at, data.generated_at)
        since = f"started {escape(moment(data.rollout.started_at))}"
        facts.append(f"{since} ({lasted} ago)" if lasted else since)
    judgement = data.judgement
    if judgement is not None and judgement.accounting.paired:
        facts.append(f"{count(judgement.accounting.distinct)} distinct addresses")
    if data.cuts:
        facts.append(f"{count(data.cuts)} cuts")
    if data.decision_digest:
        facts.append(f"decision {_code(data.decision_digest)}")
    facts.append(f"written {escape(moment(data.generated_at))}")
    return f"<sub>{' · '.join(facts)}</sub>"
