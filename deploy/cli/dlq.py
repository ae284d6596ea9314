"""`mgeo dlq list` and `mgeo dlq replay`: records that could not be processed."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.durations import moment
from deploy.cli.output import Output, OutputOption, note, print_json, print_json_line, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from producer.dead_letters import DeadLetter, Selection

CodeOption = Annotated[
    list[str] | None, typer.Option("--code", help="Only this error code; may be repeated.")
]
PartitionOption = Annotated[
    int | None, typer.Option(min=0, help="Only this partition of the dead-letter topic.")
]
FirstOption = Annotated[int | None, typer.Option(min=0, help="From this offset on.")]
LastOption = Annotated[int | None, typer.Option(min=0, help="Up to this offset, included.")]
SinceOption = Annotated[
    str | None, typer.Option(help="Written since then: 2h, or 2026-01-31T08:00:00+08:00.")
]

_CONTENT_CHARS = 200


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="See and replay dead letters.")
    group.command("list", epilog=example("mgeo dlq list", "mgeo dlq list --code not_json"))(
        list_letters
    )
    group.command(
        "replay",
        epilog=example(
            "mgeo dlq replay --code crashed_worker --dry-run",
            "mgeo dlq replay --partition 3 --first 120 --last 140",
        ),
    )(replay_letters)
    app.add_typer(group, name="dlq", epilog=example("mgeo dlq list"))


def list_letters(
    code: CodeOption = None,
    partition: PartitionOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    since: SinceOption = None,
    show_content: Annotated[
        bool, typer.Option("--show-content", help="Also print keys and values: personal data.")
    ] = False,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List dead letters: where from, why, when, how large; never their content unless asked.

    With --output json one document per line.
    """
    from producer.dead_letters import read_letters, replayed_offsets
    from producer.dead_letters.ledger import Ledger

    kafka = cluster(topic_prefix)
    selection = _selection(code, partition, first, last, since)

    async def collect() -> list[dict[str, Any]]:
        ledgers = await replayed_offsets(kafka)
        rows = []
        async for letter in read_letters(kafka, selection):
            replayed = letter.offset in ledgers.get(letter.partition, Ledger())
            row = {**_facts(letter), "replayed": replayed}
            if show_content:
                row |= _content(letter)
            if output is Output.JSON:
                print_json_line(row)
            else:
                rows.append(row)
        return rows

    rows = asyncio.run(collect())
    if output is Output.TABLE and not rows:
        print("No dead letters.")
    elif output is Output.TABLE:
        print_table(
            list(rows[0]),
            [["" if cell is None else str(cell) for cell in row.values()] for row in rows],
        )


def replay_letters(
    code: CodeOption = None,
    partition: PartitionOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    since: SinceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter there is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")] = (
        False
    ),
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were replayed before.")
    ] = False,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send dead letters back to the input, with their keys, bytes and own headers.

    Each is replayed once: a repeat of the same command sends nothing, unless --again is given.
    """
    from producer.dead_letters import Selection, replay
    from producer.settings import ProducerSettings

    selection = _selection(code, partition, first, last, since)
    if selection == Selection() and not everything:
        raise typer.BadParameter(
            "say which ones with --code, --partition, --first, --last or --since, or --all"
        )
    report = asyncio.run(
        replay(
            cluster(topic_prefix),
            selection,
            again=again,
            dry_run=dry_run,
            limits=ProducerSettings().limits,
        )
    )
    if output is Output.JSON:
        print_json({"dry_run": dry_run, **asdict(report)})
        return
    verb = "would be replayed" if dry_run else "replayed"
    print(f"{sum(report.replayed.values())} {verb}{_by_code(report.replayed)}")
    if report.replayed_before:
        count = sum(report.replayed_before.values())
        note(f"{count} were replayed before and are left alone; --again sends them once more")
    if report.not_whole:
        count = sum(report.not_whole.values())
        note(f"{count} are left alone: their bytes had no room here; publish the originals again")


def _selection(
    code: list[str] | None,
    partition: int | None,
    first: int | None,
    last: int | None,
    since: str | None,
) -> Selection:
    from producer.dead_letters import Selection

    if (first is not None or last is not None) and partition is None:
        raise typer.BadParameter("--first and --last need --partition: offsets count within one")
    return Selection(
        codes=frozenset(code or ()),
        partition=partition,
        first=first,
        last=last,
        since=None if since is None else moment(since, now=datetime.now(UTC)),
    )


def _facts(letter: DeadLetter) -> dict[str, Any]:
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "code": letter.code,
        "stage": letter.stage,
        "origin": None if letter.origin is None else "/".join(map(str, letter.origin)),
        "at": letter.at.isoformat(timespec="seconds"),
        "bytes": letter.size,
    }


def _content(letter: DeadLetter) -> dict[str, Any]:
    return {
        "key": None if letter.key is None else letter.key.decode("utf-8", "backslashreplace"),
        "value": (letter.value or b"").decode("utf-8", "backslashreplace")[:_CONTENT_CHARS],
    }


def _by_code(counts: dict[str, int]) -> str:
    codes = ", ".join(f"{count} {code}" for code, count in sorted(counts.items()))
    return f" ({codes})" if codes else ""
