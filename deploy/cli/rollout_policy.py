"""`mgeo rollout policy`: what a policy file really says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.policy import Policy
    from rollout.policy.forecast import Outlook

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Overrides one field of the policy, e.g. gates.exact_match.min=0.97. Repeatable.",
    ),
]


def register(group: typer.Typer) -> None:
    group.command(
        "policy",
        epilog=example(
            "mgeo rollout policy rollout.yaml",
            "mgeo rollout policy rollout.yaml --set gates.exact_match.min=0.97",
            "mgeo rollout policy --defaults",
            "mgeo rollout policy rollout.yaml --guardrails guardrails.yaml",
            "mgeo rollout policy rollout.yaml --explain --addresses-per-hour 20000 "
            "--expect exact_match=0.9",
        ),
    )(policy)


def policy(
    file: Annotated[Path | None, typer.Argument(help="A policy file; or --defaults.")] = None,
    overrides: SetOption = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="The policy of an empty file.")
    ] = False,
    guardrails: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A controller's guardrails: say whether it would take this policy."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say how much evidence and time each gate will need.")
    ] = False,
    addresses_per_hour: Annotated[
        float, typer.Option(min=1, help="With --explain: distinct addresses in the input.")
    ] = 10_000,
    rows_per_batch: Annotated[
        float, typer.Option(min=1, help="With --explain: addresses in a shadow's device batch.")
    ] = 16,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RATE",
            help="With --explain: exact_match, span_f1, error_increase, slow_batches, "
            "latency_ratio or disagreement. Default: as two starter releases agree. Repeatable.",
        ),
    ] = None,
    attempt: Annotated[
        int, typer.Option(min=1, help="With --explain: the how-many-eth try of the same pair.")
    ] = 1,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a policy file and print what it says, defaults included.

    Leaves with 2 and every fault as FILE:LINE:COLUMN when the file cannot be used, and with 2 and
    every field's name when --guardrails would not let it through.
    """
    from rollout.policy import changed_fields, load_policy, parse_policy, policy_digest

    if (file is None) == (not defaults):
        raise typer.BadParameter("name one policy file, or give --defaults")
    if file is None:
        effective = parse_policy("", "defaults", overrides or ())
    else:
        effective = load_policy(file, overrides or ())
    if guardrails is not None:
        _hold_to(effective, guardrails)
    found = None
    if explain or expect:
        from rollout.policy.forecast import outlook, parse_expectations

        rates = parse_expectations(expect or ())
        found = outlook(
            effective,
            rates,
            addresses_per_hour=addresses_per_hour,
            rows_per_batch=rows_per_batch,
            attempt=attempt,
        )
    if output is Output.JSON:
        print_json(
            {
                "policy": effective.model_dump(mode="json"),
                "digest": policy_digest(effective),
                "changed": {
                    name: {"value": value, "default": default}
                    for name, (value, default) in changed_fields(effective).items()
                },
                **({} if found is None else {"outlook": asdict(found)}),
            }
        )
        return
    if found is None:
        _print_fields(effective)
    else:
        _print_outlook(found, addresses_per_hour, rates)
    note(f"Digest: {policy_digest(effective)}")


def _hold_to(effective: Policy, path: Path) -> None:
    from contracts.errors import UsageError
    from rollout.guardrails import load_guardrails

    objections = load_guardrails(path).objections(effective)
    if objections:
        raise UsageError(
            "; ".join(objection.message for objection in objections),
            code="looser_than_guardrails",
            hint=f"A controller with {path} would refuse this policy: tighten these fields.",
        )
    note(f"A controller with {path} takes this policy.")


def _print_fields(effective: Policy) -> None:
    import json

    from rollout.policy import changed_fields
    from rollout.policy.files import leaves

    changed = changed_fields(effective)

    def shown(value: object) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    print_table(
        ("field", "value", "default"),
        [
            (name, shown(value), shown(changed[name][1]) if name in changed else "")
            for name, value in leaves(effective.model_dump(mode="json"))
        ],
    )


def _print_outlook(found: Outlook, addresses_per_hour: float, rates: dict[str, float]) -> None:
    def shown(n: int | None, hours: float | None) -> str:
        return "never" if n is None or hours is None else f"{n:,} in {hours:,.1f} h"

    print_table(
        ("gate", "counts", "can pass after", "stops after", ""),
        [
            (
                one.gate,
                one.unit,
                shown(one.pass_n, one.pass_hours),
                shown(one.fail_n, one.fail_hours),
                one.note,
            )
            for one in found.forecasts
        ],
        title=f"At {addresses_per_hour:,.0f} distinct addresses per hour, "
        + ", ".join(f"{name} {value:g}" for name, value in rates.items()),
    )
    if found.hours is None:
        print(f"It will not pass: {found.because}.")
    else:
        print(f"About {found.hours:,.1f} hours of shadowing to pass: {found.because}.")
