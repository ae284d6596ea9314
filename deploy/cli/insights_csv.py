"""An insights report as csv: one row for each class, detail, error code and dead letter's code."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rollout.insights.data import InsightsReport, RangeFigures

COLUMNS: Final = (
    "range",
    "kind",
    "code",
    "detail",
    "addresses",
    "distinct",
    "share",
    "low",
    "high",
    "versions",
    "before",
    "difference",
    "difference_low",
    "difference_high",
    "p_adjusted",
    "moved",
)


def write_csv(report: InsightsReport, path: Path) -> None:
    """Write the figures, without examples; with a BOM, so that spreadsheets read it.

    Raises:
        UsageError: ``cannot_write``.
    """
    from producer.tables.atomic import appearing

    with appearing(path) as partial, partial.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        if report.baseline is not None:
            table.writerows(_rows(report.baseline, None))
        table.writerows(_rows(report.current, report))


def _rows(figures: RangeFigures, report: InsightsReport | None) -> Iterator[list[object]]:
    changes = report.changes if report is not None else ()
    moved = {(str(one.kind), one.code, one.detail): one for one in changes}

    def row(kind: str, code: str, detail: str, *cells: object) -> list[object]:
        change = moved.get((kind, code, detail))
        tail = (
            [""] * 6
            if change is None
            else [
                change.before,
                change.difference,
                *change.interval,
                change.p_adjusted,
                change.moved,
            ]
        )
        return [figures.label, kind, code, detail, *cells, *tail]

    for one in (figures.troubled, *figures.classes):
        kind = "any" if one is figures.troubled else "class"
        versions = " ".join(version.name for version in one.versions)
        yield row(
            kind, one.code, "", one.addresses, one.distinct, one.share, *one.interval, versions
        )
        for detail in one.details:
            yield row("detail", one.code, detail.name, detail.addresses, "", "", "", "", versions)
    for kind, errors in (("error", figures.errors), ("dead_letter", figures.dead_letters)):
        for error in errors:
            versions = " ".join(version.name for version in error.versions)
            yield row(kind, error.code, "", error.count, "", error.share, *error.interval, versions)
