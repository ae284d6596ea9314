"""`mgeo model history`: what every version has served, from Kafka alone."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.durations import moment
from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.model_history import History, VersionHistory
    from rollout.report.data import ServedFigures

COLUMNS = (
    "version", "track", "first result", "last result", "records", "addresses", "errors", "conf.",
    "P99 ms", "golden F1", "rollout", "decision",
)  # fmt: skip


def register(group: typer.Typer) -> None:
    group.command(
        "history",
        epilog=example(
            "mgeo model history",
            "mgeo model history mgeo-base-v2-20261015 --since 7d --output json",
        ),
    )(history)


def history(
    version: Annotated[str | None, typer.Argument(help="One version. Default: all.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only results written since then: 7d, or an ISO 8601 moment.")
    ] = None,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show per version when and what it served, how well, and on which decision.

    Reads the audit and the results that Kafka still keeps. Golden F1 and decision are those of
    the rollout that brought the version. JSON also has the offset ranges, by partition.
    """
    from deploy.cli.progress import address_bars
    from deploy.model_history import read_history

    begin = None if since is None else moment(since, now=datetime.now(UTC))
    with address_bars() as bars:
        bar = bars.add("results")
        found = asyncio.run(read_history(cluster(topic_prefix), since=begin, progress=bar.advance))
    chosen = [one for one in found.versions if version in (None, one.spec.version)]
    if version is not None and not chosen:
        from contracts.errors import UsageError

        raise UsageError(
            f"{version} has served nothing here and was in no rollout",
            code="unknown_version",
            hint="mgeo model history shows what has; mgeo model list what is in the store",
        )
    if output is Output.JSON:
        print_json([document(one) for one in chosen])
    elif chosen:
        print_table(COLUMNS, [row for one in chosen for row in rows(one)])
    else:
        print("No results and no rollouts yet.")
    _say_what_is_missing(found)


def document(one: VersionHistory) -> dict[str, Any]:
    """One spec, for programs."""
    return {
        "version": one.spec.version,
        "spec": one.spec.model_dump(mode="json"),
        "periods": [asdict(period) for period in one.periods],
        "served": [figures.model_dump(mode="json", exclude={"model"}) for figures in one.served],
        "rollouts": [
            {
                "rollout_id": summary.rollout_id,
                "phase": None if summary.phase is None else str(summary.phase),
                "reason": summary.reason,
                "golden_f1": None if summary.golden is None else summary.golden.candidate_f1,
                "decision": summary.decision or None,
            }
            for summary in one.rollouts
        ],
    }


def rows(one: VersionHistory) -> list[tuple[str, ...]]:
    """One line for each track and serving epoch; one alone where nothing was served."""
    return [_row(one, figures) for figures in one.served] or [_row(one, None)]


def _row(one: VersionHistory, served: ServedFigures | None) -> tuple[str, ...]:
    brought = one.rollouts[0] if one.rollouts else None
    golden = brought.golden if brought is not None else None
    if served is None:
        figures = ("–",) * 8
    else:
        rate = served.errors / served.addresses if served.addresses else 0.0
        figures = (
            f"{served.track} (epoch {served.serving_epoch})",
            served.first_at[:16].replace("T", " "),
            served.last_at[:16].replace("T", " "),
            f"{served.records:,}",
            f"{served.addresses:,}",
            f"{rate:.2%}",
            "–" if served.mean_confidence is None else f"{served.mean_confidence:.3f}",
            "–" if served.p99_service_ms is None else f"{served.p99_service_ms:,.1f}",
        )
    return (
        one.spec.name,
        *figures,
        "–" if golden is None else f"{golden.candidate_f1:.4f}",
        "–" if brought is None else f"{brought.rollout_id} {brought.phase or ''}".strip(),
        "–" if brought is None or not brought.decision else brought.decision[7:19],
    )


def _say_what_is_missing(found: History) -> None:
    if found.unreadable:
        note(f"{found.unreadable} results could not be read and are not counted")
    if found.uncounted:
        note(f"{found.uncounted} results are of more serving epochs than are told apart here")
