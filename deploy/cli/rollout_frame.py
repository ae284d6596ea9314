"""One frame of `mgeo rollout watch`: from values to text that fits the terminal. No I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from contracts.phases import Phase
from deploy.cli.rollout_view import number, printable, way_back_words
from rollout.progress import FORWARD, about, in_phase_for, waits_for

if TYPE_CHECKING:
    from contracts.judgement import GateResult
    from contracts.offset_metadata import OffsetMetadata
    from rollout.partitions import InputPartition
    from rollout.standing import Standing
    from rollout.traffic import TrafficFigures

_SPARKS = "▁▂▃▄▅▆▇█"
_MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "undecided": ("…", "yellow"),
    "unjudged": ("–", "dim"),
    "not_configured": ("–", "dim"),
}
_BAR_CELLS = 14
_ENDS_WELL = frozenset({Phase.PROMOTED})


@dataclass(frozen=True, slots=True)
class Frame:
    """What one frame shows.

    Attributes:
        standing: the rollout.
        now: with a time zone.
        lanes: what the lanes that matter in this phase have noted, by partition.
        epoch: the number that they have to note.
        traffic: both models' device batches; None while there were none.
        pairs_per_s: paired records per second between the newest cuts; None while unknown.
        controllers: members of the controller's group; None while unknown.
    """

    standing: Standing
    now: datetime
    lanes: Mapping[InputPartition, OffsetMetadata] = field(default_factory=dict)
    epoch: int = 0
    traffic: TrafficFigures | None = None
    pairs_per_s: float | None = None
    controllers: int | None = None


def draw(frame: Frame, *, width: int, height: int) -> list[Text | Table]:
    """The frame as lines and one table; at most ``height`` lines of at most ``width`` cells."""
    lines: list[Text | Table] = [_head(frame), _way(frame), *_waiting(frame, width), Text()]
    lines += [*_models(frame, width), _adoption(frame, width), _pairs(frame), *_back(frame)]
    judgement = frame.standing.judgement
    if judgement is not None and judgement.gates:
        room = height - len(lines) - 4
        lines += [Text(), *_gates(judgement.gates, max(3, room), width)]
    for line in lines:
        if isinstance(line, Text):
            line.no_wrap = True
            line.truncate(width, overflow="ellipsis")
    return lines


def one_line(frame: Frame) -> str:
    """The frame as one line, for a log."""
    standing = frame.standing
    parts = [standing.rollout_id, _phase_words(standing)]
    judgement = standing.judgement
    if judgement is not None:
        seen = judgement.accounting
        parts.append(f"{seen.distinct:,} distinct")
        parts += [
            f"{gate.name} {number(gate.value)} (bound {number(gate.bound)}, {_side(gate)} "
            f"{number(gate.threshold)})"
            for gate in judgement.gates
            if gate.kind == "proof" and gate.value is not None
        ]
        parts.append(judgement.verdict)
    parts.append(_sentence(frame))
    if standing.ended:
        parts += [f"way back: {words}" for words in way_back_words(standing)]
    return printable(" · ".join(part for part in parts if part))


def _sentence(frame: Frame) -> str:
    words = waits_for(frame.standing, frame.now)
    return words if frame.standing.ended else f"waits for {words}"


def _phase_words(standing: Standing) -> str:
    step = ""
    if standing.phase is Phase.CANARY:
        step = f" {standing.rollout.step + 1}/{len(standing.rollout.policy.canary.steps)}"
    return f"{standing.phase}{step}{' (paused)' if standing.paused else ''}"


def _head(frame: Frame) -> Text:
    standing = frame.standing
    head = Text(printable(standing.rollout_id), style="bold")
    head.append("  ")
    head.append(_phase_words(standing), style=_phase_style(standing))
    head.append(f"  {about(in_phase_for(standing.rollout, frame.now))}", style="dim")
    if frame.controllers == 0 and not standing.ended:
        head.append("  no controller runs!", style="bold red")
    return head


def _phase_style(standing: Standing) -> str:
    if standing.paused:
        return "bold yellow"
    if standing.phase in _ENDS_WELL:
        return "bold green"
    return "bold cyan" if standing.phase in FORWARD else "bold red"


def _way(frame: Frame) -> Text:
    """The phases as dots, the present one named above."""
    way = Text()
    phase = frame.standing.phase
    steps = [
        one
        for one in FORWARD
        if one is not Phase.AWAITING_APPROVAL
        or frame.standing.rollout.policy.approval.required
        or phase is one
    ]
    at = steps.index(phase) if phase in steps else -1
    for index, one in enumerate(steps):
        done = 0 <= index < at or phase is Phase.PROMOTED
        style = "green" if done else "bold cyan" if index == at else "dim"
        way.append("● " if done or index == at else "○ ", style=style)
        if index == at:
            way.append(f"{one.lower().replace('_', ' ')} ", style=style)
    if at < 0:
        way.append(f"→ {phase.lower().replace('_', ' ')}", style="bold red")
    return way


def _waiting(frame: Frame, width: int) -> list[Text]:
    """The sentence, on two lines at most."""
    style = "red" if frame.standing.ended and frame.standing.phase not in _ENDS_WELL else ""
    lines = textwrap.wrap(printable(_sentence(frame)), width, max_lines=2, placeholder=" …")
    return [Text(line, style=style) for line in lines or [""]]


def _models(frame: Frame, width: int) -> list[Text]:
    """Both models: name, speed on the device, and the newest batches as far as there is room."""
    rollout, serving, figures = frame.standing.rollout, frame.standing.serving, frame.traffic
    recent: tuple[float, ...] = (0.0,)
    if figures is not None:
        recent = (*figures.candidate.recent_ms, *figures.reference.recent_ms)
    names = max(len(rollout.candidate.name), len(rollout.reference.name))
    lines = []
    for role, style, spec, of_model in (
        ("candidate", "cyan", rollout.candidate, figures and figures.candidate),
        ("reference", "magenta", rollout.reference, figures and figures.reference),
    ):
        line = Text(f"{role}  ", style="dim")
        line.append(f"{spec.name:<{names}}", style=style)
        if of_model:
            line.append(f" {of_model.rows_per_s:>6,.0f} rows/s")
            line.append(f"  P50 {_ms(of_model.p50_ms)} P99 {_ms(of_model.p99_ms)} ms ")
            room = max(0, width - line.cell_len)
            line.append(sparks(of_model.recent_ms[-room:] if room else (), max(recent)), style)
        elif not frame.standing.ended:
            line.append("  no device batch seen yet", style="dim")
        lines.append(line)
    share = Text("serving    ", style="dim")
    share.append(serving.stable.name)
    share.append(f", epoch {serving.serving_epoch}", style="dim")
    if serving.candidate is not None:
        share.append(f"; candidate at {serving.share:.0%}", style="bold")
    return [*lines, share]


def _pairs(frame: Frame) -> Text:
    line = Text("pairs      ", style="dim")
    judgement = frame.standing.judgement
    if judgement is None:
        line.append("none yet")
        return line
    seen = judgement.accounting
    line.append(f"{seen.distinct:,}", style="bold")
    line.append(f" distinct of {seen.addresses:,} addresses")
    if frame.pairs_per_s is not None:
        line.append(f", {frame.pairs_per_s:,.1f} records/s")
    if seen.candidate_failed:
        line.append(f", {seen.candidate_failed:,} failed", style="red")
    if seen.newest_input_ms is not None and not frame.standing.ended:
        age = max(0.0, frame.now.timestamp() - seen.newest_input_ms / 1000)
        line.append(f", newest {age:,.0f} s old", style="dim")
    if frame.standing.rollout.served:
        line.append(f"; served {frame.standing.rollout.served:,}")
    return line


def _back(frame: Frame) -> list[Text]:
    """How the newest promotion can be taken back, where it can."""
    return [
        Text.assemble(("way back   ", "dim"), printable(words))
        for words in way_back_words(frame.standing)
    ]


def _adoption(frame: Frame, width: int) -> Text:
    warming = frame.standing.phase in (Phase.REGISTERED, Phase.WARMING)
    line = Text("shadow     " if warming else "adoption   ", style="dim")
    if not frame.lanes:
        line.append("no partition has been read yet", style="dim")
        return line
    adopted = [lane.has_adopted(frame.epoch) for _, lane in sorted(frame.lanes.items())]
    # One cell per partition; a topic too wide for the terminal is counted.
    cells = max(8, width - 40)
    if len(adopted) <= cells:
        for done in adopted:
            line.append("■" if done else "□", style="green" if done else "yellow")
        line.append(" ")
    line.append(f"{sum(adopted)} of {len(adopted)} partitions")
    line.append(f" at {'start' if warming else 'epoch'} {frame.epoch}", style="dim")
    behind = [p for p, lane in sorted(frame.lanes.items()) if not lane.has_adopted(frame.epoch)]
    if behind:
        line.append(f"; not {', '.join(map(str, behind[:6]))}", style="yellow")
        line.append("…" if len(behind) > 6 else "", style="yellow")
    refused = {lane.refusal for lane in frame.lanes.values() if lane.refused_epoch == frame.epoch}
    if refused - {""}:
        line.append(printable(f" ({', '.join(sorted(refused - {''}))})"), style="red")
    return line


def _ms(value: float) -> str:
    return f"{value:>5.1f}" if value < 1000 else f"{value:>5.0f}"


def sparks(values: Sequence[float], largest: float) -> str:
    """Values as a row of blocks, the largest one full."""
    if not largest:
        return ""
    top = len(_SPARKS) - 1
    return "".join(_SPARKS[min(top, max(0, round(value / largest * top)))] for value in values)


def _gates(gates: Sequence[GateResult], room: int, width: int) -> list[Text | Table]:
    """As many gates as there is room for, the ones that decide first."""
    ordered = sorted(gates, key=_rank)
    plain = [gate for gate in ordered if not _is_quiet(gate)]
    shown = plain[:room]
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim", expand=False)
    table.add_column("gate", no_wrap=True)
    for name in ("value", "bound", "threshold", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("evidence", no_wrap=True)
    for gate in shown:
        mark, style = _MARKS[gate.status]
        label = Text(f"{mark} ", style=style)
        label.append(printable(gate.name)[: max(12, width - 58)])
        table.add_row(
            label,
            number(gate.value),
            number(gate.bound),
            Text(f"{_side(gate)} {number(gate.threshold)}", style="dim"),
            f"{gate.n:,}",
            bar(gate),
        )
    hidden = plain[len(shown) :]
    if not hidden:
        return [table]
    what = "slices" if all(gate.name.startswith("slice:") for gate in hidden) else "gates"
    failed = sum(gate.status == "failed" for gate in hidden)
    words = f"{failed} of them failed" if failed else "none of them failed"
    return [table, Text(f"  … {len(hidden)} more {what}, {words}", style="dim")]


def _is_quiet(gate: GateResult) -> bool:
    return gate.status in ("unjudged", "not_configured")


def _rank(gate: GateResult) -> tuple[int, int]:
    kinds = {"proof": 0, "instrument": 1, "golden": 2, "guard": 3}
    slices = gate.name.startswith("slice:")
    return (0 if gate.status == "failed" else 1, kinds[gate.kind] + slices)


def _side(gate: GateResult) -> str:
    """On which side of its threshold a good value lies."""
    below = ("error_rate", "latency_", "aa", "bake_error_rate")
    return "≤" if gate.name.startswith(below) else "≥"


def bar(gate: GateResult) -> Text:
    """How far the evidence is toward deciding: a proof fills in green, a harm in red.

    The length is ln(e-value) over the ln(1/α) that it takes: when the bar is full, the gate's
    bound has crossed its threshold.
    """
    if gate.log_e is None or not gate.log_e_needed:
        return Text("")
    share = min(1.0, max(0.0, gate.log_e / gate.log_e_needed))
    if gate.status == "passed" and gate.kind in ("proof", "instrument"):
        share = 1.0  # crossing is for good, also where the evidence has receded since
    full = round(share * _BAR_CELLS)
    colour = "red" if gate.kind == "guard" else "green"
    style = "dim" if gate.kind != "guard" or not full else "red"
    text = Text("█" * full, style=colour)
    text.append("░" * (_BAR_CELLS - full), style="dim")
    if gate.kind == "guard":
        words = "HARM" if gate.status == "failed" else "no harm" if not full else "harm?"
        text.append(f" {words if gate.status != 'undecided' or full else 'open'}", style=style)
    else:
        text.append(f" {share:.0%}")
    return text
