"""`mgeo rollout policy`: what a policy file really says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.policy import Policy

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
        ),
    )(policy)


def policy(
    file: Annotated[Path | None, typer.Argument(help="A policy file; or --defaults.")] = None,
    overrides: SetOption = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="The policy of an empty file.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a policy file and print what it says, defaults included.

    Leaves with 2 and every fault as FILE:LINE:COLUMN when the file cannot be used.
    """
    from rollout.policy import changed_fields, load_policy, parse_policy, policy_digest

    if (file is None) == (not defaults):
        raise typer.BadParameter("name one policy file, or give --defaults")
    if file is None:
        effective = parse_policy("", "defaults", overrides or ())
    else:
        effective = load_policy(file, overrides or ())
    if output is Output.JSON:
        print_json(
            {
                "policy": effective.model_dump(mode="json"),
                "digest": policy_digest(effective),
                "changed": {
                    name: {"value": value, "default": default}
                    for name, (value, default) in changed_fields(effective).items()
                },
            }
        )
        return
    _print_fields(effective)
    note(f"Digest: {policy_digest(effective)}")


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
