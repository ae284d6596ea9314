"""Composing an insights run: which results go to which tally, from Kafka or from files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import UsageError
from contracts.settings import KafkaSettings
from deploy.rollouts import opener
from producer.tables.atomic import appearing
from rollout.insights.data import InsightsReport
from rollout.insights.detect import Thresholds
from rollout.insights.difference import changes
from rollout.insights.exporting import Selected, Worst
from rollout.insights.reading import Progress, Taker, Window, read_file, read_window
from rollout.insights.sides import Splitter, served_by
from rollout.insights.tally import Bounds, Tally


@dataclass(frozen=True, slots=True)
class Range:
    """One range that is read: of Kafka by time, or files, which hold no times."""

    label: str
    since: datetime | None = None
    until: datetime | None = None
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked.

    Attributes:
        current: the range that the report is about.
        baseline: another range to compare it with, or None.
        versions: two versions to compare within ``current``: the baseline's first; or None.
        source: only this publisher's results.
        thresholds: where trouble begins.
        bounds: what is kept.
        show_text: examples are whole addresses.
    """

    current: Range
    baseline: Range | None = None
    versions: tuple[str, str] | None = None
    source: str | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    bounds: Bounds = field(default_factory=Bounds)
    show_text: bool = False


def look(
    kafka: Callable[[], KafkaSettings], question: Question, progress: Progress
) -> InsightsReport:
    """Read, count and compare.

    Args:
        kafka: the cluster; asked only where Kafka is read.
        question: what is wanted.
        progress: told what is being read, and which part of it is done.

    Raises:
        UsageError: ``version_not_in_range``, ``bad_results_file``, ``no_topic``.
        BackendUnreachableError: Kafka does not answer.
    """
    tallies = [
        Tally(question.thresholds, question.bounds, show_text=question.show_text) for _ in range(2)
    ]
    before, now = tallies
    if question.versions is not None:
        first, second = question.versions
        splitter = Splitter(
            takers=(
                (lambda batch: served_by(batch, first), before.take),
                (lambda batch: served_by(batch, second), now.take),
            ),
            source=question.source,
        )
        read(kafka, question.current, splitter, progress)
        _require(first, before, splitter)
        _require(second, now, splitter)
        now.unreadable = splitter.unreadable
        labels: Sequence[str] = question.versions
    else:
        _read_into(kafka, question.current, now, question.source, progress)
        if question.baseline is not None:
            _read_into(kafka, question.baseline, before, question.source, progress)
        labels = (
            "" if question.baseline is None else question.baseline.label,
            question.current.label,
        )
    compared = question.versions is not None or question.baseline is not None
    moved = changes(before, now) if compared else ()
    other = question.current if question.versions is not None else question.baseline
    return InsightsReport(
        generated_at=_moment(datetime.now(UTC)),
        masked=not question.show_text,
        low_confidence=question.thresholds.low_confidence,
        long_chars=question.thresholds.long_chars,
        remainder_chars=question.thresholds.remainder_chars,
        current=now.figures(labels[1], **_times(question.current)),
        baseline=None
        if other is None or not compared
        else before.figures(labels[0], **_times(other)),
        comparison=("versions" if question.versions is not None else "ranges")
        if compared
        else None,
        compared=len(moved),
        changes=moved,
    )


def export_rows(
    kafka: Callable[[], KafkaSettings],
    wanted: Range,
    path: Path,
    *,
    limit: int,
    classes: Collection[str] = (),
    source: str | None = None,
    thresholds: Thresholds | None = None,
    progress: Progress,
) -> Selected:
    """Write the worst of a range as a labelling file that only its owner can read.

    Raises:
        UsageError: ``cannot_write``, also where the file is there: labels in it would be lost;
            else as ``look``.
    """
    if path.exists():
        raise UsageError(
            f"{path} is there already, and may hold labels",
            code="cannot_write",
            hint="Name another file, or move that one away.",
        )
    worst = Worst(limit, classes=classes, thresholds=thresholds or Thresholds())
    read(kafka, wanted, Splitter(takers=((lambda _: True, worst.take),), source=source), progress)
    selected = worst.select()
    with appearing(path) as partial:
        partial.chmod(0o600)
        partial.write_text("".join(f"{one}\n" for one in selected.rows), encoding="utf-8")
    return selected


def read(
    kafka: Callable[[], KafkaSettings], wanted: Range, taker: Taker, progress: Progress
) -> None:
    """Everything of one range, to one taker; raises as ``look``."""
    if wanted.files:
        for path in wanted.files:
            read_file(path, taker, progress)
        return
    settings = kafka()
    asyncio.run(
        read_window(
            opener(settings), settings.names, Window(wanted.since, wanted.until), taker, progress
        )
    )


def _read_into(
    kafka: Callable[[], KafkaSettings],
    wanted: Range,
    tally: Tally,
    publisher: str | None,
    progress: Progress,
) -> None:
    splitter = Splitter(
        takers=((lambda _: True, tally.take),), letters=(tally.take_letter,), source=publisher
    )
    read(kafka, wanted, splitter, progress)
    tally.unreadable = splitter.unreadable


def _require(version: str, tally: Tally, splitter: Splitter) -> None:
    if tally.records:
        return
    there = ", ".join(name for name, _ in splitter.versions.largest()) or "none at all"
    raise UsageError(
        f"no result of {version} in this range; there are results of {there}",
        code="version_not_in_range",
        hint="Name VERSION or VERSION@PRECISION, or widen --since.",
    )


def _times(wanted: Range) -> dict[str, str | None]:
    return {
        "since": None if wanted.since is None else _moment(wanted.since),
        "until": None if wanted.until is None else _moment(wanted.until),
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
