"""`mgeo bench`: what this machine does, against what it could do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    output: OutputOption = Output.TABLE,
) -> None:
    """Measure a worker between two topics of a real Kafka against the network alone.

    Caching is off and all addresses differ. Whatever is compared runs by turns on the same
    addresses. Leave the machine alone meanwhile.
    """
    from deploy.bench.plan import FULL, QUICK
    from deploy.bench.run import run_bench

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
    if output is Output.JSON:
        print_json(document)
    else:
        _print(document)


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
