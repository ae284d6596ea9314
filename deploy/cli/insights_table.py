"""An insights report on the terminal: tables whose columns stay aligned with Chinese in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.cli.output import note, print_table

if TYPE_CHECKING:
    from rollout.insights.data import Change, ClassFigures, InsightsReport, Interval, RangeFigures


_EXAMPLES: Final = 3
"""For each class; JSON and the page have all that were asked for."""


def print_report(report: InsightsReport) -> None:
    """Everything that was found, the most frequent first."""
    current = report.current
    if not current.addresses and not current.dead_letters:
        print("No results in this range.")
        return
    print(_headline(current))
    if current.troubled.distinct:
        several = len(current.versions) > 1
        columns: tuple[str, ...] = ("class", "addresses", "share", "95%", "versions", "examples")
        rows = [_row(one) for one in current.classes if one.addresses]
        if not several:  # the headline names the only one
            columns, rows = _without_versions(columns), [_without_versions(row) for row in rows]
        print_table(columns, rows)
    for title, errors in (
        ("error results", current.errors),
        ("dead letters", current.dead_letters),
    ):
        if errors:
            print_table(
                (title, "count", "share", "95%", "versions"),
                [
                    (
                        one.code,
                        f"{one.count:,}",
                        _percent(one.share),
                        _interval(one.interval),
                        _names(tuple(v.name for v in one.versions)),
                    )
                    for one in errors
                ],
            )
    if report.baseline is not None:
        _print_changes(report, report.baseline)
    if current.distinct_full:
        note(f"Shares are of the first {current.distinct:,} different addresses.")
    if current.unreadable:
        note(f"{current.unreadable} records could not be read and were skipped")
    if report.masked and current.troubled.addresses:
        note("Examples are masked; --show-text shows whole addresses to people who may see them.")


def _without_versions(cells: tuple[str, ...]) -> tuple[str, ...]:
    return (*cells[:4], *cells[5:])


def _headline(current: RangeFigures) -> str:
    troubled = current.troubled
    by = f" of {current.versions[0].name}" if len(current.versions) == 1 else ""
    return (
        f"{current.addresses:,} addresses, {current.distinct:,} different ones, in"
        f" {current.records:,} records{by}. {troubled.distinct:,} different ones"
        f" ({_percent(troubled.share)}) have trouble."
    )


def _row(one: ClassFigures) -> tuple[str, ...]:
    from rollout.report.wording import one_line

    details = ", ".join(f"{part.name} {part.addresses:,}" for part in one.details[:3])
    return (
        f"{one.code}\n{details}" if details else one.code,
        f"{one.addresses:,}",
        _percent(one.share),
        _interval(one.interval),
        _names(tuple(version.name for version in one.versions)),
        "\n".join(one_line(shown.text, 80) for shown in one.examples[:_EXAMPLES]),
    )


def _print_changes(report: InsightsReport, baseline: RangeFigures) -> None:
    moved = [one for one in report.changes if one.moved != "not_shown"]
    names = f"{baseline.label} ({baseline.distinct:,} different addresses) → {report.current.label}"
    if not moved:
        print(
            f"{names}: nothing is shown to have moved; {report.compared} shares were compared"
            " together."
        )
        return
    print(f"{names}: of {report.compared} shares compared together these moved.")
    print_table(
        ("what", "before", "after", "change", "95% together", "p, adjusted"),
        [_change(one) for one in moved],
    )


def _change(one: Change) -> tuple[str, ...]:
    low, high = one.interval
    return (
        one.code + (f" · {one.detail}" if one.detail else ""),
        _percent(one.before),
        _percent(one.after),
        f"{'↑' if one.moved == 'up' else '↓'} {one.difference * 100:+.2f} pp",
        f"{low * 100:+.2f} to {high * 100:+.2f}",
        f"{one.p_adjusted:.2g}",
    )


def _percent(share: float) -> str:
    from rollout.judge.figures import percent

    return percent(share)


def _interval(interval: Interval) -> str:
    return f"{_percent(interval[0])}–{_percent(interval[1])}"


def _names(names: tuple[str, ...], most: int = 2) -> str:
    shown = "\n".join(names[:most])
    return shown + (f"\n+{len(names) - most} more" if len(names) > most else "")
