"""`mgeo golden`: labelled addresses, and what they can tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from rollout.golden import GoldenSet


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True, help="Labelled addresses: check a file, and what it can detect."
    )
    # A group of one command would become that command.
    group.callback()(_group)
    group.command(
        "check",
        epilog=example(
            "mgeo golden check golden.jsonl",
            "mgeo golden check golden.jsonl --discordance 0.05 --output json",
        ),
    )(check)
    app.add_typer(group, name="golden", epilog=example("mgeo golden check golden.jsonl"))


def _group() -> None:
    pass


def check(
    file: Annotated[Path, typer.Argument(help="Labelled addresses, jsonl.")],
    discordance: Annotated[
        float,
        typer.Option(
            min=0.0001,
            max=1.0,
            help="Part of the addresses that the two models will read unlike; "
            "mgeo model compare measures it.",
        ),
    ] = 0.21,
    spread: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1.0,
            help="By how much F1 differs there (root mean square).",
        ),
    ] = 0.33,
    min_delta: Annotated[
        float,
        typer.Option(min=-1.0, max=1.0, help="The policy’s golden.min_delta."),
    ] = -0.002,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a golden set and say what it can detect, in all, by province and by component.

    `detects` is the smallest fall of mean F1 that fails the gate in 8 of 10 sets of that size;
    `fails an equal one` is how often a candidate exactly as good would fail. Leaves with 2 and
    every fault as FILE:LINE when the file cannot be used.
    """
    from deploy.golden import province_of
    from rollout.golden import Sensitivity, read_golden

    golden = read_golden(file)
    assumed = Sensitivity(discordance, spread)
    groups = _groups(golden, [province_of(row) for row in golden.gating])
    rows = [_row(kind, name, size, assumed, min_delta) for kind, name, size in groups]
    aside: dict[str, int] = {}
    for row in golden.rows:
        if not row.gates:
            aside[row.stratum] = aside.get(row.stratum, 0) + 1
    if output is Output.JSON:
        print_json(
            {
                "digest": golden.digest,
                "addresses": len(golden.gating),
                "never_gating": aside,
                "unlabelled": golden.unlabelled,
                "assumed": {
                    "discordance": discordance,
                    "spread": spread,
                    "min_delta": min_delta,
                },
                "groups": rows,
            }
        )
        return
    print_table(
        ("", "addresses", "detects a fall of", "fails an equal one"),
        [
            (
                f"{row['kind']} {row['name'] or '(unknown)'}" if row["kind"] != "all" else "all",
                str(row["addresses"]),
                "none" if row["detects"] is None else f"{row['detects']:.4f}",
                f"{row['fails_equal']:.1%}",
            )
            for row in rows
        ],
    )
    for stratum, count in aside.items():
        note(f"{count} rows of the stratum {stratum} are shown in comparisons and never gate.")
    if golden.unlabelled:
        note(f"{golden.unlabelled} rows are not labelled yet and were passed over.")
    note(f"Digest: {golden.digest}")


def _groups(golden: GoldenSet, provinces: list[str]) -> list[tuple[str, str, int]]:
    """Kind, name and size of every group: the set, its provinces, its component types."""
    from collections import Counter

    from contracts.components import COMPONENT_TYPES

    by_province = Counter(provinces)
    by_type = Counter(kind for row in golden.gating for kind in row.types())
    return [
        ("all", "", len(golden.gating)),
        *(("province", name, size) for name, size in by_province.most_common()),
        *(("component", name, by_type[name]) for name in COMPONENT_TYPES if by_type[name]),
    ]


def _row(kind: str, name: str, size: int, assumed: Any, min_delta: float) -> dict[str, Any]:
    from rollout.golden import sensitivity

    power = sensitivity(max(1, size), assumed, min_delta)
    return {
        "kind": kind,
        "name": name,
        "addresses": size,
        "detects": power.detects,
        "fails_equal": power.fails_equal,
    }
