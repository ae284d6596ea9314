"""`mgeo rollout report` and `verify`: what a rollout leaves behind, and whether it is true."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import exit_codes
from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example
from deploy.cli.progress import PartDone, progress_line

if TYPE_CHECKING:
    from contracts.settings import KafkaSettings
    from rollout.report import ReportFiles
    from rollout.verify import Verification

UNVERIFIED = {
    "ok": exit_codes.OK,
    "differs": exit_codes.FAILED,
    "cannot": exit_codes.INCONCLUSIVE,
}
"""What `verify` leaves with, by what came of it."""


def register(group: typer.Typer) -> None:
    group.command(
        "report",
        epilog=example(
            "mgeo rollout report --out report",
            "mgeo rollout report r-20261125-3fa2c1 --out report --output json",
        ),
    )(report)
    group.command(
        "verify",
        epilog=example(
            "mgeo rollout verify",
            "mgeo rollout verify r-20261125-3fa2c1 --archive report",
            "mgeo rollout verify report",
        ),
    )(verify)


def report(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where; it is made.")],
    rollout_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Default: the one that runs or ran last.")
    ] = None,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write the report of a rollout, finished or not: HTML, JSON, Markdown, JUnit, Parquet.

    report.html is one file for people, report.md a merge request’s comment, junit.xml shows each
    gate as a test, evidence.parquet and cuts.jsonl are what verify recomputes the decision from.
    """
    files = write(cluster(topic_prefix), rollout_id, out)
    if output is Output.JSON:
        print_json({path.name: str(path) for path in files.paths})
        return
    for path in files.paths:
        print(path)


def write(kafka: KafkaSettings, rollout_id: str | None, directory: Path) -> ReportFiles:
    """Write a report, with a progress line where a person watches."""
    from deploy.rollouts import opener
    from rollout.report import from_kafka

    with progress_line() as progress:
        return asyncio.run(
            from_kafka.write(
                opener(kafka),
                kafka.names,
                rollout_id,
                directory,
                now=datetime.now(UTC),
                progress=progress,
            )
        )


def verify(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID|DIR]",
            help="A rollout, or the directory of a report. Default: the newest rollout.",
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A report to check instead where the topics have expired."
        ),
    ] = None,
    keyring: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check the approval’s signature too.")
    ] = None,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Recompute a decision from its evidence, and say what differs.

    Leaves with 0 when everything agrees, 1 when something differs, 3 when it cannot be told.
    """
    keys = None
    if keyring is not None:
        from rollout.approvals import load_keyring

        keys = load_keyring(keyring)
    found = _verify(what, archive, keys, topic_prefix)
    if output is Output.JSON:
        print_json(
            {
                "rollout_id": found.rollout_id,
                "outcome": found.outcome,
                "source": found.source,
                "decisions": list(found.decisions),
                "cuts": found.cuts,
                "differences": [str(one) for one in found.differences],
                "more": found.more,
                "why": found.why,
                "notes": list(found.notes),
            }
        )
    else:
        _print(found)
    raise typer.Exit(UNVERIFIED[found.outcome])


def _verify(
    what: str | None, archive: Path | None, keys: Any, topic_prefix: str | None
) -> Verification:
    from deploy.rollouts import find_standing, opener, rollout_client
    from rollout.verify import verify as recompute
    from rollout.verify import verify_archive

    if what is not None and Path(what).is_dir():
        return verify_archive(Path(what), keyring=keys)
    kafka = cluster(topic_prefix)

    async def work(progress: PartDone) -> Verification:
        rollout_id = what or (await find_standing(rollout_client(kafka), None)).rollout_id
        return await recompute(
            opener(kafka),
            kafka.names,
            rollout_id,
            archive=archive,
            keyring=keys,
            progress=progress,
        )

    with progress_line() as progress:
        return asyncio.run(work(progress))


def _print(found: Verification) -> None:
    from deploy.cli.rollout_view import printable

    rollout_id = printable(found.rollout_id)
    where = "the topics" if found.source == "topics" else "the archive"
    match found.outcome:
        case "ok":
            count = len(found.decisions)
            records = f"{count} decision record{'s' if count != 1 else ''}"
            what = f"{records} and {found.cuts:,} cuts recomputed from {where}"
            print(f"{rollout_id}: agrees. {what}.")
            for digest in found.decisions:
                print(f"  {digest}")
        case "differs":
            print(f"{rollout_id}: DIFFERS from what {where} say.")
            for one in found.differences:
                print(printable(f"  {one}"))
            if found.more:
                print(f"  … and {found.more:,} more")
        case _:
            print(f"{rollout_id}: cannot be told. {printable(found.why)}")
            if found.hint:
                note(found.hint)
    for line in found.notes:
        note(printable(line))
