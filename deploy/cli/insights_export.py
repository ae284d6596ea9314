"""`mgeo insights export`: the worst addresses, to be labelled for the next model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.insights_options import (
    FileOption,
    LongOption,
    LowOption,
    RemainderOption,
    SinceOption,
    SourceOption,
    UntilOption,
    asked_range,
    thresholds,
)
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example
from deploy.cli.progress import progress_line


def register(group: typer.Typer) -> None:
    group.command(
        "export",
        epilog=example(
            "mgeo insights export --out to-label.jsonl --since 7d",
            "mgeo insights export --out to-label.jsonl --class low_confidence --limit 200",
        ),
    )(export)


def export(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Rows to label, jsonl; must not exist yet.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 500,
    only: Annotated[
        list[str] | None,
        typer.Option("--class", help="Only addresses of this class; may be repeated."),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    file: FileOption = None,
    source: SourceOption = None,
    low_confidence: LowOption = 0.25,
    long_chars: LongOption = 100,
    remainder_chars: RemainderOption = 3,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write the worst addresses as rows to label: different ones, from all classes and provinces.

    They hold whole addresses, with phones, names and the like written over. Each carries the
    model’s reading as a proposal and says labelled: false; mend it and take that out. The stratum
    failures never gates.
    """
    from deploy.insights import export_rows
    from rollout.insights.classes import BY_CODE

    unknown = sorted(set(only or ()) - set(BY_CODE))
    if unknown:
        raise typer.BadParameter(f"no class {unknown[0]}; there are {', '.join(BY_CODE)}")
    with progress_line() as progress:
        selected = export_rows(
            lambda: cluster(topic_prefix),
            asked_range("this range", since, until, file),
            out,
            limit=limit,
            classes=only or (),
            source=source,
            thresholds=thresholds(low_confidence, long_chars, remainder_chars),
            progress=progress,
        )
    if output is Output.JSON:
        print_json({"file": str(out), "rows": len(selected.rows), "classes": selected.classes})
        return
    print(f"{len(selected.rows)} rows to label written to {out}")
    note("They hold addresses: keep the file where addresses may be.")
