"""`mgeo deploy`: which gateways callers reach on Kubernetes, and shadow workers by the phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.health_options import HostOption, PortOption
from deploy.cli.output import Output, OutputOption, note, print_json, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.switching.moving import Switched

NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", help="Where the gateways run.")]
ContextOption = Annotated[
    str | None, typer.Option(help="Context of the kubeconfig. Default: the current one.")
]
SmallerOption = Annotated[
    bool, typer.Option("--smaller", help="The other colour may have fewer pods than this one.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True,
        help="Switch callers between the two colours of the gateway on Kubernetes, and back.",
    )
    group.command(
        "switch",
        epilog=example(
            "mgeo deploy switch --to green",
            "mgeo deploy switch --to green --namespace mgeo --context production --output json",
        ),
    )(switch)
    group.command("switch-back", epilog=example("mgeo deploy switch-back"))(switch_back)
    group.command(
        "status", epilog=example("mgeo deploy status", "mgeo deploy status --output json")
    )(status)
    group.command(
        "scale-shadow",
        epilog=example("mgeo deploy scale-shadow", "mgeo deploy scale-shadow --replicas 2"),
    )(scale_shadow)
    app.add_typer(group, name="deploy", epilog=example("mgeo deploy status"))


def switch(
    to: Annotated[str, typer.Option("--to", metavar="COLOUR", help="blue or green.")],
    namespace: NamespaceOption = "mgeo",
    context: ContextOption = None,
    smaller: SmallerOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send callers to a colour once it is ready and has parsed an address; seconds.

    The colour that served stays as it is: switch-back returns to it. Safe to repeat. Nothing is
    changed unless all checks pass.
    """
    from deploy.switching import colours
    from deploy.switching.kubectl import Kubectl
    from deploy.switching.moving import move

    done = move(Kubectl(namespace, context), lambda now: colours.switch(now, to), smaller=smaller)
    _say(done, output)


def switch_back(
    namespace: NamespaceOption = "mgeo",
    context: ContextOption = None,
    smaller: Annotated[bool, typer.Option("--smaller", hidden=True)] = False,
    untried: Annotated[
        bool,
        typer.Option(
            "--untried", help="Without a parse before, for when nothing can be parsed at all."
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send callers back to the colour that served before the last switch; seconds.

    Safe to repeat: a second one changes nothing. A colour with fewer pods is taken, with a warning.
    """
    del smaller  # always so; scripts may still say it
    from deploy.switching import colours
    from deploy.switching.kubectl import Kubectl
    from deploy.switching.moving import move

    done = move(Kubectl(namespace, context), colours.switch_back, try_it=not untried)
    _say(done, output)


def status(
    namespace: NamespaceOption = "mgeo",
    context: ContextOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Which colour has the callers, what each runs, and where the way back leads."""
    from deploy.switching.kubectl import Kubectl
    from deploy.switching.moving import look

    standing = look(Kubectl(namespace, context))
    rows = [
        {
            "colour": one.name,
            "serving": one.name == standing.serving,
            "image": one.image,
            "ready": one.ready,
            "wanted": one.wanted,
            "missing": one.missing,
        }
        for one in standing.colours.values()
    ]
    if output is Output.JSON:
        print_json(
            {
                "serving": standing.serving,
                "way_back": standing.way_back or None,
                "taken_back": standing.taken_back or None,
                "colours": rows,
            }
        )
        return
    print_table(
        ("colour", "callers", "image", "pods", ""),
        [
            (
                one.name,
                "here" if one.name == standing.serving else "",
                one.image,
                f"{one.ready}/{one.wanted}",
                one.missing,
            )
            for one in standing.colours.values()
        ],
    )
    if standing.way_back:
        note(f"The way back: mgeo deploy switch-back (to {standing.way_back})")


def scale_shadow(
    replicas: Annotated[
        int | None, typer.Option(min=1, help="Shadow workers while a rollout runs.")
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Give the shadow workers replicas while a rollout runs, and none otherwise, until SIGTERM.

    Runs inside the cluster, with an account that may scale that one Deployment.
    """
    from deploy.service import leave_on_sigterm

    leave_on_sigterm()
    from contracts.logs import configure_logs
    from deploy.local.discovery import kafka_settings
    from deploy.scaling.service import serve_scaler
    from deploy.scaling.settings import ScalingSettings

    given = {
        name: value
        for name, value in (("shadow_replicas", replicas), ("host", host), ("port", port))
        if value is not None
    }
    configure_logs()
    serve_scaler(ScalingSettings().model_copy(update=given), kafka_settings())


def _say(done: Switched, output: Output) -> None:
    from dataclasses import asdict

    if done.warning:
        note(f"Warning: {done.warning}")
    if output is Output.JSON:
        print_json(asdict(done))
        return
    if not done.changed:
        print(f"{done.serving} has the callers already; nothing was changed.")
        return
    for one in done.checks:
        print(f"{one.name:7} {one.found} ({one.took_ms:.0f} ms)")
    print(f"{done.serving} has the callers, {done.before} had them. {done.took_s} s.")
