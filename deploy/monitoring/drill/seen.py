"""What a drill has seen, as one document that grows act by act, and its table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

Document = dict[str, Any]
"""What ``drill.json`` holds: ``acts``, by their names."""

QUIET: Final = "quiet"
"""The stage before anything is done to the system."""


@dataclass(slots=True)
class Seen:
    """What one expression of a panel gave.

    Attributes:
        panel: dashboard and title.
        expr: the expression.
        by_stage: stage to the sorted values of its series.
    """

    panel: str
    expr: str
    by_stage: dict[str, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """One alert of an act.

    Attributes:
        name: of the alert.
        cause: what was done to the system.
        fired_after_s: from then until the webhook was told; None: it was not.
        mended: what ended it.
        cleared_after_s: from then until the webhook was told that it is over; None: it was not.
        said: its summary as it arrived.
    """

    name: str
    cause: str
    fired_after_s: float | None = None
    mended: str = ""
    cleared_after_s: float | None = None
    said: str = ""

    @property
    def whole(self) -> bool:
        """Whether it came and went."""
        return self.fired_after_s is not None and self.cleared_after_s is not None


@dataclass(slots=True)
class Played:
    """One act, as it was played.

    Attributes:
        name: of the act.
        times: by what durations were divided.
        seconds: how long it took.
        alerts: those that it is about.
        beside: other alerts that fired in it.
        seen: what the panels' expressions gave.
        trouble: why it was not played to its end; empty when it was.
    """

    name: str
    times: int
    seconds: float = 0.0
    alerts: list[Outcome] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    trouble: str = ""

    @property
    def whole(self) -> bool:
        """Whether every alert of it came and went."""
        return not self.trouble and all(one.whole for one in self.alerts)


def with_act(document: Document, act: Played) -> Document:
    """The document with this act, in the place of an earlier playing of it."""
    acts = {**document.get("acts", {}), act.name: {**asdict(act), "whole": act.whole}}
    return {**document, "acts": acts}


def stages_of(document: Document) -> dict[tuple[str, str], dict[str, tuple[float, ...]]]:
    """Panel and expression to what it gave: act and stage to sorted values."""
    found: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
    for name, act in document.get("acts", {}).items():
        for one in act["seen"]:
            stages = found.setdefault((one["panel"], one["expr"]), {})
            for stage, values in one["by_stage"].items():
                stages[f"{name}/{stage}"] = tuple(values)
    return found


def unmoved(document: Document, listed: Mapping[str, str]) -> list[str]:
    """Expressions that no act has filled or changed, but for those of listed panels.

    Args:
        document: of all acts.
        listed: panels that cannot be shown on this machine, each with the reason.
    """
    lines = []
    for (panel, expr), stages in stages_of(document).items():
        if panel in listed:
            continue
        if not any(stages.values()):
            lines.append(f"empty: {panel}: {expr}")
        elif not _changes(stages):
            lines.append(f"never changes: {panel}: {expr}")
    return lines


def _changes(stages: Mapping[str, tuple[float, ...]]) -> bool:
    """Whether an expression differs between stages of one and the same act.

    Two acts are two systems: a difference between them is no change. Nor is it one when series
    go because their process has gone, come back with the number that they had, or come with zero.
    """
    by_act: dict[str, list[tuple[float, ...]]] = {}
    for stage, values in stages.items():
        by_act.setdefault(_act_of(stage), []).append(values)
    return any(
        len({frozenset(values) for values in ordered if values}) > 1
        or max(map(_not_zero, ordered)) > _not_zero(ordered[0])
        for ordered in by_act.values()
    )


def _not_zero(values: Iterable[float]) -> int:
    return sum(value != 0 for value in values)


def _act_of(stage: str) -> str:
    return stage.partition("/")[0]


def movers(document: Document) -> dict[tuple[str, str], tuple[str, ...]]:
    """Panel and expression to the acts in which it changed, in the order they stand in."""
    return {
        which: tuple(
            act
            for act in document.get("acts", {})
            if _changes({at: values for at, values in stages.items() if _act_of(at) == act})
        )
        for which, stages in stages_of(document).items()
    }


def panels_markdown(document: Document, listed: Mapping[str, str], load: str) -> str:
    """What every panel did, in sentences and lists of a page.

    Args:
        document: of all acts.
        listed: panels that cannot be shown on this machine, each with the reason.
        load: the act of the idle and the busy system; every other one is a fault.
    """
    moved = {which: acts for which, acts in movers(document).items() if which[0] not in listed}
    busy = [which for which, acts in moved.items() if load in acts]
    faulty = [which for which, acts in moved.items() if set(acts) - {load}]
    if load in document.get("acts", {}):
        loaded, where = f"{len(busy)} under load than idle", "Not under load, but in"
    else:
        loaded, where = f"the act `{load}` has not been played", "In"
    lines = [
        f"{len(moved)} expressions: {len(faulty)} showed something else in a fault than before it, "
        + loaded
        + ".",
        "",
        *(
            f"- {where} the act `{act}`: {_names(some)}."
            for act, some in _by_first_act(moved, load).items()
        ),
        *(f"- Not filled or not moved: {line}." for line in unmoved(document, listed)),
        *(f"- Not shown here: {_names([(name, '')])}: {why}." for name, why in listed.items()),
    ]
    return "\n".join(lines) + "\n"


def _by_first_act(
    moved: Mapping[tuple[str, str], tuple[str, ...]], load: str
) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for which, acts in moved.items():
        if acts and load not in acts:
            found.setdefault(acts[0], []).append(which)
    return found


def _names(some: Iterable[tuple[str, str]]) -> str:
    return ", ".join(dict.fromkeys(f"*{panel.partition(': ')[2]}*" for panel, _ in some))


def table(document: Document) -> str:
    """Alert, cause, when it came and when it went: lines with aligned columns."""
    head = ("alert", "act", "cause", "told after", "over by", "told after", "durations")
    rows: list[Sequence[str]] = [head]
    rows += [
        (
            one["name"],
            name,
            one["cause"],
            _written(one["fired_after_s"]),
            one["mended"],
            _written(one["cleared_after_s"]),
            f"1/{act['times']}",
        )
        for name, act in document.get("acts", {}).items()
        for one in act["alerts"]
    ]
    return aligned(rows)


def markdown(document: Document) -> str:
    """The same as a table of a page, in the order of the alerts' names."""
    rows = [
        f"| `{one['name']}` | {one['cause']} | {_written(one['fired_after_s'])} "
        f"| {one['mended']} | {_written(one['cleared_after_s'])} | {act['times']} |"
        for act in document.get("acts", {}).values()
        for one in act["alerts"]
    ]
    head = (
        "| alert | cause | told after | what ended it | told of its end after | durations / |",
        "|---|---|---|---|---|---|",
    )
    return "\n".join((*head, *sorted(rows))) + "\n"


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """Lines of cells, each column as wide as its widest cell."""
    kept = list(rows)
    widths = [max(len(row[column]) for row in kept) for column in range(len(kept[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in kept
    )
    return "\n".join(lines)


def _written(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.0f} s"
