"""`mgeo rollout start` and `wait`: ask for a rollout, and follow it to a phase."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import exit_codes
from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.durations import seconds
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example
from deploy.cli.rollout_policy import SetOption

if TYPE_CHECKING:
    from consumer.settings import ParserSettings
    from contracts.phases import Phase
    from contracts.policy import Policy
    from contracts.requests import ReplayFrom, StartRequest
    from contracts.rollout import GoldenOutcome
    from contracts.settings import KafkaSettings
    from contracts.spec import ModelSpec
    from rollout.client import RolloutClient
    from rollout.standing import Standing

UntilOption = Annotated[
    str,
    typer.Option(
        "--until",
        metavar="PHASE",
        help="Wait until this phase or a later one, such as PASSED; implies --wait.",
    ),
]
TimeoutOption = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Wait at most so long, e.g. 50m; then leave with 124 and the rollout goes on.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="DIR", help="Write the report here when waiting ends, however it ends."
    ),
]


def register(group: typer.Typer) -> None:
    group.command(
        "start",
        epilog=example(
            "mgeo rollout start --candidate mgeo-base-v2-20261015 --policy rollout.yaml --wait",
            "mgeo rollout start --candidate mgeo-base-v2-20261015 --policy rollout.yaml "
            "--until PASSED --timeout 50m --report report",
            "mgeo rollout start --candidate mgeo-base-v2-20261015@fp16 --policy rollout.yaml "
            "--replay-from 24h",
        ),
    )(start)
    group.command(
        "wait",
        epilog=example(
            "mgeo rollout wait",
            "mgeo rollout wait r-20261125-3fa2c1 --until PROMOTED --timeout 50m",
        ),
    )(wait)


def start(
    candidate: Annotated[
        str,
        typer.Option(
            metavar="VERSION[@PRECISION]",
            help="The model, in the store. Default precision: the stable model’s.",
        ),
    ],
    policy: Annotated[Path, typer.Option(metavar="FILE", help="What it must show.")],
    overrides: SetOption = None,
    replay_from: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Judge it on traffic of the past: 24h, an ISO 8601 moment, or offset:N.",
        ),
    ] = None,
    golden: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labelled addresses, instead of the policy’s."),
    ] = None,
    renew: Annotated[
        bool,
        typer.Option(
            "--renew",
            help="Once after an upgrade that changed the fingerprint: name what serves anew.",
        ),
    ] = False,
    wait_too: Annotated[
        bool, typer.Option("--wait", help="Wait for the end; the exit code says how it ended.")
    ] = False,
    until: UntilOption = "",
    timeout: TimeoutOption = None,
    report: ReportOption = None,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Start a rollout of a model in the store, or attach to the same one that is running.

    Safe to repeat: the same candidate, policy and replay range attach. What can be checked here
    is checked before anything is asked. Exit codes of --wait: 0 promoted or phase reached, 1 failed
    or aborted or rolled back, 2 usage, 3 inconclusive, 4 no data, 5 awaiting approval, 6 Kafka or
    controller away, 7 another rollout runs, 124 timed out.
    """
    from rollout.policy import load_policy

    now = datetime.now(UTC)
    wish = _Wish(
        candidate=candidate,
        policy=load_policy(policy, overrides or ()),
        policy_file=policy,
        replay_from=_replay(replay_from, now),
        golden=golden,
        renew=renew,
    )
    options = _options(until, timeout, report, topic_prefix, output)
    kafka = cluster(topic_prefix)
    started = asyncio.run(_start(kafka, wish))
    verb = "attached to" if started.attached else "started"
    standing = started.standing
    models = f"{standing.rollout.candidate.name} against {standing.rollout.reference.name}"
    note(f"{verb} {standing.rollout_id}: {models}")
    if not (wait_too or until or timeout or report):
        _print_started(started, output)
        return
    raise typer.Exit(_follow(kafka, standing.rollout_id, options))


def wait(
    rollout_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Default: the one that runs or ran last.")
    ] = None,
    until: UntilOption = "",
    timeout: TimeoutOption = None,
    report: ReportOption = None,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Attach to a rollout again, with the options and exit codes of start --wait."""
    from deploy.rollouts import find_standing, rollout_client

    options = _options(until, timeout, report, topic_prefix, output)
    kafka = cluster(topic_prefix)
    found = asyncio.run(find_standing(rollout_client(kafka), rollout_id))
    raise typer.Exit(_follow(kafka, found.rollout_id, options))


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be started."""

    candidate: str
    policy: Policy
    policy_file: Path
    replay_from: ReplayFrom | None
    golden: Path | None
    renew: bool


@dataclass(frozen=True, slots=True)
class _Started:
    standing: Standing
    attached: bool


@dataclass(frozen=True, slots=True)
class _Options:
    """How to wait."""

    until: Phase
    timeout_s: float | None
    report: Path | None
    output: Output
    again: Sequence[str]
    """The same options, as they are written."""


def _options(
    until: str, timeout: str | None, report: Path | None, prefix: str | None, output: Output
) -> _Options:
    again: list[str] = []
    for name, value in (("--until", until), ("--timeout", timeout), ("--topic-prefix", prefix)):
        if value:
            again += [name, value]
    if report is not None:
        again += ["--report", str(report)]
    return _Options(
        until=_phase(until),
        timeout_s=None if timeout is None else seconds(timeout),
        report=report,
        output=output,
        again=again,
    )


def _phase(text: str) -> Phase:
    from contracts.phases import Phase

    if not text:
        return Phase.PROMOTED
    try:
        return Phase(text.upper())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no phase; phases are {', '.join(Phase)}", param_hint="--until"
        ) from None


def _replay(text: str | None, now: datetime) -> ReplayFrom | None:
    if text is None:
        return None
    from deploy.candidates import replay_from

    return replay_from(text, now=now)


async def _start(kafka: KafkaSettings, wish: _Wish) -> _Started:
    from consumer.settings import ParserSettings
    from contracts.errors import UsageError
    from contracts.requests import StartRequest
    from deploy.candidates import candidate_spec, fingerprint_doubt, stable_here
    from deploy.cli.rollout_waiting import asking, stoppable
    from deploy.rollouts import (
        RequestRefusedError,
        ask,
        find_standing,
        new_request_id,
        requested_by,
        rollout_client,
    )
    from rollout.asking import new_rollout_id, start_request

    client = rollout_client(kafka)
    with stoppable():
        state = await client.state()
    if state is None:
        raise UsageError(
            "no model serves yet: there is nothing to compare with",
            code="no_first_state",
            hint="mgeo topics create writes which model serves first",
        )
    settings = ParserSettings()
    spec = candidate_spec(wish.candidate, stable=state.serving.stable, settings=settings)
    plain = StartRequest(candidate=spec, policy=wish.policy, replay_from=wish.replay_from)
    if attached := await _attach(client, plain):
        return attached
    if spec == state.serving.stable:
        raise UsageError(
            f"{spec.name} serves already",
            code="already_stable",
            hint="to try the machinery, add the same weights under another version",
        )
    stable = state.serving.stable
    here = stable_here(stable, settings=settings)
    renewed = here if wish.renew and here != stable else None
    if renewed is not None and renewed.weights == stable.weights:
        note(f"{stable.name} is named by its new fingerprint from now on: {renewed.fingerprint}")
    elif doubt := fingerprint_doubt(stable, here):
        note(f"Warning: {doubt}")
    asked = plain.model_copy(update={"renewed": renewed})
    golden = _look(wish, spec, asked.reference(stable), settings)
    full = asked.model_copy(update={"golden": golden})
    now = datetime.now(UTC)
    request = start_request(
        full,
        rollout_id=new_rollout_id(now, secrets.token_hex(3)),
        request_id=new_request_id(),
        state=state,
        requested_by=requested_by(),
        now=now,
    )
    try:
        with asking():
            fresh = await ask(client, request)
    except RequestRefusedError:
        if attached := await _attach(client, plain):
            return attached
        raise
    # Another job may have asked for the very same in this moment: then that one runs.
    if not fresh and (attached := await _attach(client, plain)):
        return attached
    return _Started(await find_standing(client, request.rollout_id), attached=False)


async def _attach(client: RolloutClient, start: StartRequest) -> _Started | None:
    """The same rollout where it runs, or has just ended well; None where the way is free.

    Raises:
        RequestRefusedError: ``rollout_running``.
    """
    from contracts.phases import Phase
    from deploy.rollouts import RequestRefusedError
    from rollout.asking import is_same_start
    from rollout.standing import standing_of

    state = await client.state()
    standing = standing_of(state)
    if state is None or standing is None:
        return None
    same = is_same_start(standing.rollout, start)
    serves = standing.phase is Phase.PROMOTED and state.serving.stable == start.candidate
    if same and (serves or not standing.ended):
        return _Started(standing, attached=True)
    if standing.ended:
        return None
    other = standing.rollout
    differs = "policy or replay range" if other.candidate == start.candidate else "candidate"
    raise RequestRefusedError(
        f"another rollout is running: {other.rollout_id} of {other.candidate.name} is in "
        f"{standing.phase} (another {differs})",
        code="rollout_running",
        hint="wait for it (mgeo rollout wait), or end it (mgeo rollout abort)",
    )


def _look(
    wish: _Wish, candidate: ModelSpec, reference: ModelSpec, settings: ParserSettings
) -> GoldenOutcome | None:
    """The one look at the labelled set; None where none is named."""
    path = wish.golden
    if path is None and wish.policy.golden.path is not None:
        path = wish.policy_file.parent / wish.policy.golden.path
    if path is None:
        return None
    from deploy.cli.progress import address_bars
    from deploy.golden import look

    with address_bars() as bars:
        return look(
            path,
            reference=reference,
            candidate=candidate,
            policy=wish.policy,
            settings=settings,
            progress=bars.add("golden set").advance,
        )


def _print_started(started: _Started, output: Output) -> None:
    standing = started.standing
    if output is Output.JSON:
        print_json(
            {
                "rollout_id": standing.rollout_id,
                "attached": started.attached,
                "phase": str(standing.phase),
            }
        )
        return
    print(standing.rollout_id)
    note(f"Follow it: mgeo rollout wait {standing.rollout_id}, or mgeo rollout watch")


def _follow(kafka: KafkaSettings, rollout_id: str, options: _Options) -> int:
    """Wait, say how it ended, write the report; the exit code."""
    from deploy.cli.rollout_view import print_standing_json, print_status, status_document
    from deploy.cli.rollout_waiting import progress_line, say_how_it_ended, wait_for
    from deploy.rollouts import rollout_client

    again = " ".join(["mgeo rollout wait", rollout_id, *options.again])
    try:
        with progress_line() as show:
            waited = asyncio.run(
                wait_for(
                    rollout_client(kafka),
                    rollout_id,
                    until=options.until,
                    timeout_s=options.timeout_s,
                    on_standing=show,
                )
            )
    except BaseException:
        note(f"{rollout_id} may go on. Attach again: {again}")
        raise
    say_how_it_ended(waited, rollout_id=rollout_id, again=again)
    if waited.standing is not None:
        if options.output is Output.JSON:
            print_standing_json(waited.standing, exit_code=waited.code)
        else:
            document = status_document(waited.standing, now=datetime.now(UTC))
            print_status(document, waited.standing)
    told_to_stop = waited.code == exit_codes.TIMED_OUT and waited.stopped != "timeout"
    if options.report is not None and not told_to_stop:
        _write_report(kafka, rollout_id, options.report)
    return waited.code


def _write_report(kafka: KafkaSettings, rollout_id: str, directory: Path) -> None:
    """Write the report; the exit code stays the rollout's, whatever becomes of it."""
    from contracts.errors import MgeoError
    from deploy.cli.rollout_report import write

    try:
        files = write(kafka, rollout_id, directory)
    except MgeoError as error:
        note(f"The report could not be written: {error}")
    else:
        note(f"Report: {files.html}")
