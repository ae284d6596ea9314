"""`mgeo bench`: what this machine does, against what it could do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.bench.plan import Section


def register(app: typer.Typer) -> None:
    app.command(
        "bench",
        epilog=example(
            "mgeo bench --quick",
            "mgeo bench --only throughput --model mgeo-base-v1-20230815 --json figures.json",
            "mgeo bench --quick --only throughput --model starter --against figures.json",
        ),
    )(bench)


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Minutes instead of most of an hour.")] = (
        False
    ),
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="throughput, broker, latency, engine-memory, memory or modelscope; repeatable."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="starter, base-random, small-random or a VERSION; repeatable. "
            "Default: starter and base-random."
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write raw timings, seeds and figures here.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of addresses and random weights.")] = 1,
    plant_sleep: Annotated[
        float,
        typer.Option(
            metavar="MS", min=0, help="Waste so much before every commit: the figures must show it."
        ),
    ] = 0.0,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An earlier --json: leave with 1 when it was better."),
    ] = None,
    max_regression: Annotated[
        float,
        typer.Option(min=0, max=10, help="With --against: by so much a figure may be worse."),
    ] = 0.15,
    measured: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --against: compare this --json instead of measuring."
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Measure a worker between two topics of a real Kafka against the network alone.

    Caching is off and all addresses differ. Whatever is compared runs by turns on the same
    addresses. Leave the machine alone meanwhile. With --against the command leaves with 1 when
    a figure is worse by more than --max-regression in all its repetitions, and with 4 when there
    is nothing that can be compared.
    """
    from contracts.errors import UsageError
    from deploy.bench.plan import FULL, QUICK
    from deploy.bench.run import read_document, run_bench

    baseline = None if against is None else read_document(against)
    if measured is not None:
        if baseline is None:
            raise UsageError(
                "--measured compares, and there is nothing to compare with",
                code="bad_baseline",
                hint="add --against FILE",
            )
        _compare(read_document(measured), baseline, max_regression, output)
        return

    def keep(document: dict[str, Any]) -> None:
        if json_file is not None:
            text = json.dumps(document, ensure_ascii=False, indent=1)
            json_file.write_text(text + "\n", encoding="utf-8")

    document = run_bench(
        models=model or ["starter", "base-random"],
        sections=_sections(only or []),
        plan=QUICK if quick else FULL,
        seed=seed,
        plant_sleep_ms=plant_sleep,
        say=note,
        keep=keep,
    )
    if output is Output.TABLE:
        _print(document)
    elif baseline is None:
        print_json(document)
    if baseline is not None:
        _compare(document, baseline, max_regression, output)


def _compare(
    document: dict[str, Any], baseline: dict[str, Any], max_regression: float, output: Output
) -> None:
    """Say what became of the figures; leave with 1 or 4 where a pipeline must not go on."""
    from dataclasses import asdict

    from deploy.bench.regression import compare

    found = compare(document, baseline)
    worse = found.regressions(max_regression)
    if output is Output.JSON:
        figures = [asdict(one) | {"regressed": one in worse} for one in found.figures]
        print_json({"max_regression": max_regression, "figures": figures, "measured": document})
    else:
        rows = [
            [
                one.name,
                f"{one.baseline:,.4g}",
                f"{one.measured:,.4g}",
                f"{one.worse_by:+.1%}",
                "WORSE" if one in worse else one.held_back or "",
            ]
            for one in found.figures
        ]
        print_table(("against the baseline", "then", "now, at best", "worse by", ""), rows)
    if not found.judged:
        note("Nothing can be compared: measure the baseline anew on this machine, with --json.")
        raise typer.Exit(exit_codes.NO_DATA)
    if worse:
        note(f"{len(worse)} of {len(found.judged)} figures are worse by over {max_regression:.0%}.")
        raise typer.Exit(exit_codes.FAILED)


def _sections(names: list[str]) -> tuple[Section, ...]:
    from contracts.errors import UsageError
    from deploy.bench.plan import SECTIONS

    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} is no part of the bench",
            code="bad_section",
            hint=f"--only takes {', '.join(SECTIONS)}",
        )
    return tuple(one for one in SECTIONS if not names or one in names)


def _print(document: dict[str, Any]) -> None:
    from deploy.bench.report import rows, targets

    machine = document["machine"]
    print(f"{machine['cores']} × {machine['processor']}, {machine['gpu'] or 'no GPU'}")
    print_table(("", "median", "lowest – highest", ""), list(rows(document["sections"])))
    judged = [
        [one.name, f"{one.value:.3f}", f"{'≥' if one.at_least else '≤'} {one.bound:g}", _word(one)]
        for one in targets(document["sections"])
    ]
    if judged:
        print_table(("target", "measured", "wanted", ""), judged)


def _word(target: Any) -> str:
    return "met" if target.met else "MISSED"
