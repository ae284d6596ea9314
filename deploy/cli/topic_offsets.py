"""`mgeo topics offsets`: does the group stand where its results say that it stood."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.group_offsets import Standing

WORDS = {
    "agrees": "",
    "behind": "would be parsed again",
    "lost": "no offset: all of it would be parsed again",
    "never_parsed": "nothing was ever parsed",
    "another_log": "results of another log: cannot be told",
}


def register(group: typer.Typer) -> None:
    group.command(
        "offsets", epilog=example("mgeo topics offsets", "mgeo topics offsets --restore")
    )(offsets)


def offsets(
    restore: Annotated[
        bool,
        typer.Option(
            "--restore", help="Set the workers' offsets to where their results say they stood."
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare the workers' committed offsets with what results and dead letters show.

    When offsets were lost, --restore sets them again, exactly: nothing is parsed twice and nothing
    is passed over. No worker may run meanwhile. Without it, leaves with 1 when something would
    be parsed again.
    """
    found, restored = asyncio.run(_work(restore=restore))
    off = [one for one in found if one.to_set is not None]
    if output is Output.JSON:
        print_json({"restored": restored, "partitions": [_row(one) for one in found]})
    else:
        print_table(
            ("input", "partition", "committed", "by results", "log end", ""),
            [
                (
                    one.lane.topic,
                    str(one.lane.partition),
                    "–" if one.committed is None else str(one.committed),
                    "–" if one.shown is None else str(one.shown),
                    str(one.end),
                    WORDS[one.state],
                )
                for one in found
            ],
        )
        if restored:
            note(f"{restored} offsets were set to what results show.")
        elif off:
            note("Stop the workers, then: mgeo topics offsets --restore")
    if off and not restore:
        raise typer.Exit(exit_codes.FAILED)


async def _work(*, restore: bool) -> tuple[tuple[Standing, ...], int]:
    from deploy.group_offsets import OffsetDesk
    from deploy.local.discovery import kafka_settings

    desk = OffsetDesk(kafka_settings())
    found = await desk.compare()
    return found, await desk.restore(found) if restore else 0


def _row(one: Standing) -> dict[str, Any]:
    return {
        **one.lane._asdict(),
        "committed": one.committed,
        "by_results": one.shown,
        "log_end": one.end,
        "state": one.state,
        "to_set": one.to_set,
    }
