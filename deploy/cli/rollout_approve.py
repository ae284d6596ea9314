"""`mgeo rollout approve`: a person signs the frozen decision of a rollout."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.phases import Phase
from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.durations import seconds
from deploy.cli.output import Output, OutputOption, note, print_json
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.control import RolloutState
    from contracts.decision import DecisionRecord
    from contracts.settings import KafkaSettings
    from rollout.client import RolloutClient
    from rollout.standing import Standing


def register(group: typer.Typer) -> None:
    group.command(
        "approve",
        epilog=example(
            "mgeo rollout approve --key alice.pem",
            "mgeo rollout approve r-20261125-3fa2c1 --key alice.pem --decision sha256:… --yes",
        ),
    )(approve)


def approve(
    key: Annotated[Path, typer.Option(metavar="FILE", help="Private key by mgeo rollout keygen.")],
    rollout_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Default: the one that waits for it.")
    ] = None,
    key_id: Annotated[
        str | None,
        typer.Option(help="Name of the key in the controller’s keyring. Default: the file’s name."),
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option(
            metavar="DIGEST", help="Only if it is this decision, as a report or status showed it."
        ),
    ] = None,
    valid_for: Annotated[
        str, typer.Option(metavar="DURATION", help="The signature is good for so long.")
    ] = "10m",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    topic_prefix: PrefixOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what was decided and from what, and sign it.

    The signature binds cluster, rollout and the digest of the decision record: it is good for
    nothing else, and only while the rollout waits for exactly that. It is safe to repeat: a
    decision that has its approval is not signed again, and that is no error.
    """
    kafka = cluster(topic_prefix)
    pem, name = _read_key(key), key_id or key.stem
    lasts = timedelta(seconds=seconds(valid_for))
    found = asyncio.run(_awaited(kafka, rollout_id, decision))
    if isinstance(found, _Awaited):
        _show(found.record, found.current)
        if not yes:
            _ask_person(found.current)
        standing, fresh = asyncio.run(_approve(kafka, found, pem, name, lasts, decision))
    else:
        standing, fresh = found, False
    _say(standing, output, fresh=fresh)


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A decision that waits for its approval."""

    current: Standing
    record: DecisionRecord
    state: RolloutState


def is_approved(standing: Standing, wanted: str | None) -> bool:
    """Whether this decision has its approval, and the rollout goes on with it or is promoted.

    Args:
        standing: where the rollout stands.
        wanted: the digest of the decision that is meant; None: whichever it has.
    """
    from rollout.progress import FORWARD

    decision, approval = standing.rollout.decision, standing.rollout.approval
    # One that was thrown out all the same is no success for whoever asks again.
    goes_on = FORWARD[FORWARD.index(Phase.AWAITING_APPROVAL) :]
    if decision is None or approval is None or standing.phase not in goes_on:
        return False
    return approval.decision == decision.digest and wanted in (None, decision.digest)


def _say(standing: Standing, output: Output, *, fresh: bool) -> None:
    from deploy.cli.rollout_view import printable

    decision, approval = standing.rollout.decision, standing.rollout.approval
    key_id = approval.key_id if approval else ""
    if output is Output.JSON:
        print_json(
            {
                "rollout_id": standing.rollout_id,
                "request": "approve",
                "accepted": True,
                "already_so": not fresh,
                "decision": decision.digest if decision else None,
                "key_id": key_id,
                "phase": str(standing.phase),
            }
        )
        return
    how = "accepted" if fresh else "approved already"
    print(
        printable(f"approve {standing.rollout_id}: {how} with key {key_id}; now {standing.phase}")
    )
    note(printable(f"See it through: mgeo rollout wait {standing.rollout_id}"))


async def _awaited(
    kafka: KafkaSettings, rollout_id: str | None, wanted: str | None
) -> _Awaited | Standing:
    """What is to be signed; where that was done already, how the rollout stands."""
    from contracts.errors import IllegalTransition, UsageError
    from deploy.rollouts import find_standing, rollout_client, the_current

    client = rollout_client(kafka)
    state = await client.state()
    try:
        current = the_current(state, rollout_id, verb="approve")
    except UsageError as error:
        # Neither says which one is meant: the newest may be another one than was to be signed.
        if rollout_id is None and wanted is None:
            raise
        if error.code not in ("rollout_ended", "no_rollout_running"):
            raise
        # It has ended; where another one has started since, that stands in the audit alone.
        earlier = await find_standing(client, rollout_id)
        if not is_approved(earlier, wanted):
            raise
        return earlier
    if is_approved(current, wanted):
        return current
    frozen = current.rollout.decision
    if state is None or current.phase is not Phase.AWAITING_APPROVAL or frozen is None:
        raise IllegalTransition(
            f"{current.rollout_id} is in {current.phase}: nothing waits for an approval",
            code="not_awaiting_approval",
            hint=f"mgeo rollout wait {current.rollout_id} --until AWAITING_APPROVAL",
        )
    if wanted is not None and wanted != frozen.digest:
        raise UsageError(
            f"{current.rollout_id} waits for another decision: {frozen.digest}",
            code="approval_other_decision",
            hint="look at its report again before you sign",
        )
    return _Awaited(current, await _record(client, current, frozen.digest), state)


async def _record(client: RolloutClient, current: Standing, digest: str) -> DecisionRecord:
    """The decision record of that digest, from the audit.

    Raises:
        UsageError: ``decision_missing``: what cannot be read must not be signed.
    """
    from contracts.canonical import digest_of
    from contracts.decision import DecisionRecord
    from contracts.errors import UsageError

    async for record in client.audit(current.rollout_id):
        if record.decision is not None and digest_of(record.decision) == digest:
            return DecisionRecord.model_validate(record.decision)
    raise UsageError(
        f"the audit holds no decision record with the digest {digest}",
        code="decision_missing",
        hint="do not approve; mgeo rollout audit shows what is there",
    )


def _show(record: DecisionRecord, current: Standing) -> None:
    """What is about to be signed, on standard error."""
    from deploy.cli.rollout_view import WORDS, number, printable

    digest = current.rollout.decision.digest if current.rollout.decision else ""
    note(printable(f"rollout    {record.rollout_id}, try {record.attempt}"))
    note(f"candidate  {record.candidate.name}  {record.candidate.digest}")
    note(f"reference  {record.reference.name}  {record.reference.digest}")
    note(f"policy     {record.policy_digest}")
    pairs = f"{record.outcomes:,} pairs in {record.cuts:,} cuts"
    note(printable(f"evidence   {pairs}, chain {record.chain}"))
    for gate in record.judgement.gates if record.judgement else ():
        if not gate.name.startswith("slice:") or gate.status != "passed":
            note(
                f"  {printable(gate.name):<18} {WORDS[gate.status]:<10} {number(gate.value):>9}  "
                f"bound {number(gate.bound):>9}  threshold {number(gate.threshold):>9}"
            )
    note(f"decision   {digest}")


def _ask_person(current: Standing) -> None:
    from contracts.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(
            "nobody is there to say yes", code="not_confirmed", hint="in a script give --yes"
        )
    from deploy.cli.rollout_view import printable

    typer.confirm(printable(f"Approve {current.rollout_id}?"), abort=True, err=True)


def _read_key(path: Path) -> bytes:
    from contracts.errors import UsageError

    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the key {path} cannot be read: {error.strerror}",
            code="no_file",
            hint="mgeo rollout keygen makes one",
        ) from error


async def _approve(
    kafka: KafkaSettings,
    awaited: _Awaited,
    pem: bytes,
    key_id: str,
    lasts: timedelta,
    wanted: str | None,
) -> tuple[Standing, bool]:
    """Sign and hand in; where the rollout stands then, and whether it was this signature."""
    from deploy.cli.rollout_waiting import asking
    from deploy.rollouts import (
        RequestRefusedError,
        ask,
        find_standing,
        new_request_id,
        requested_by,
        rollout_client,
    )
    from rollout.approvals import sign
    from rollout.asking import approve_request

    current = awaited.current
    decision = current.rollout.decision
    assert decision is not None  # noqa: S101  (_awaited)
    now = datetime.now(UTC)
    approval = sign(
        pem,
        key_id=key_id,
        cluster=awaited.state.incarnation,
        rollout_id=current.rollout_id,
        decision=decision.digest,
        expires_at=(now + lasts).isoformat(timespec="milliseconds"),
    )
    client = rollout_client(kafka)
    request = approve_request(
        approval,
        current.rollout,
        request_id=new_request_id(),
        requested_by=requested_by(),
        now=now,
    )
    try:
        with asking():
            await ask(client, request)
    except RequestRefusedError:
        # Another one may have signed in this moment: then it is done.
        standing = await find_standing(client, current.rollout_id)
        if not is_approved(standing, wanted or decision.digest):
            raise
        return standing, False
    return await find_standing(client, current.rollout_id), True
