"""`mgeo rollout audit`: everything the controller did and why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.output import Output, note, print_json_line
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.audit import AuditRecord, CutEntry, RequestEntry, TransitionEntry
    from contracts.settings import KafkaSettings


def register(group: typer.Typer) -> None:
    group.command(
        "audit",
        epilog=example(
            "mgeo rollout audit", "mgeo rollout audit r-20261125-3fa2c1 --cuts --output json"
        ),
    )(audit)


def audit(
    rollout_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Of one rollout. Default: of all.")
    ] = None,
    cuts: Annotated[
        bool, typer.Option("--cuts", help="Every look at the evidence too, with its gates.")
    ] = False,
    topic_prefix: PrefixOption = None,
    output: Annotated[
        Output, typer.Option(help="A timeline for people or one JSON document per record.")
    ] = Output.TABLE,
) -> None:
    """Print requests, phases, decisions and alerts in order, with who asked and why.

    JSON has the records as they stand on the audit topic, one on a line, cuts included.
    """
    shown = asyncio.run(_print(cluster(topic_prefix), rollout_id, cuts=cuts, output=output))
    if not shown and rollout_id is not None:
        from contracts.errors import UsageError

        raise UsageError(
            f"there is no rollout {rollout_id}",
            code="unknown_rollout",
            hint="mgeo rollout list shows all of them",
        )
    if not shown:
        note("No rollout has ever run here.")


async def _print(
    kafka: KafkaSettings, rollout_id: str | None, *, cuts: bool, output: Output
) -> int:
    from deploy.rollouts import rollout_client

    shown, passed_over, verdict = 0, 0, ""
    async for record in rollout_client(kafka).audit(rollout_id):
        shown += 1
        if output is Output.JSON:
            print_json_line(record.model_dump(mode="json"))
            continue
        if record.cut is not None:
            # A look that says the same as the one before is no news.
            said = f"{record.cut.judgement.verdict} {record.cut.judgement.code}"
            if said == verdict and not cuts:
                passed_over += 1
                continue
            verdict = said
        for line in timeline(record, gates=cuts):
            print(line)
    if passed_over:
        note(f"{passed_over} looks that changed no verdict are left out: --cuts shows them")
    return shown


def timeline(record: AuditRecord, *, gates: bool = False) -> list[str]:
    """One audit record as lines for people: when, of which rollout, what and why.

    Args:
        record: the record.
        gates: with every gate's figures at a cut.
    """
    from deploy.cli.rollout_view import printable

    return [printable(line) for line in _lines(record, gates=gates)]


def _lines(record: AuditRecord, *, gates: bool) -> list[str]:
    head = f"{record.at[:19].replace('T', ' ')}  {record.rollout_id or '-':<18}  "
    if record.transition is not None:
        return [head + _transition(record.transition)]
    if record.request is not None:
        return [head + _request(record.request)]
    if record.cut is not None:
        return [head + _cut(record.cut), *(_gates(record.cut) if gates else [])]
    if record.decision is not None:
        from contracts.canonical import digest_of

        return [f"{head}decision frozen: {digest_of(record.decision)}"]
    return [f"{head}{record.kind}: {record.message}"]


def _transition(moved: TransitionEntry) -> str:
    step = f" step {moved.step + 1}" if moved.phase == "CANARY" else ""
    came = f"{moved.previous} → " if moved.previous else "→ "
    serving = moved.serving
    serves = f" [epoch {serving.serving_epoch}: {serving.stable.name}"
    if serving.candidate is not None:
        serves += f", {serving.candidate.name} at {serving.share:.0%}"
    return f"{came}{moved.phase}{step}: {moved.reason or moved.code}{serves}]"


def _request(entry: RequestEntry) -> str:
    by = f" by {entry.requested_by}" if entry.requested_by else ""
    if entry.accepted:
        return f"{entry.kind}{by}: {'was so already' if entry.code == 'already_so' else 'accepted'}"
    return f"{entry.kind}{by}: REFUSED, {entry.message or entry.code} ({entry.code})"


def _cut(entry: CutEntry) -> str:
    judgement = entry.judgement
    seen = judgement.accounting
    # While it goes on the reason lists every open gate: --cuts shows their figures.
    words = "" if judgement.verdict == "continue" else judgement.reason or judgement.code
    return (
        f"cut {entry.cut.number}: {judgement.verdict.replace('_', ' ')}, "
        f"{seen.distinct:,} distinct addresses" + (f"; {words}" if words else "")
    )


def _gates(entry: CutEntry) -> list[str]:
    from deploy.cli.rollout_view import WORDS, number

    return [
        f"{'':<23}{gate.name:<24} {WORDS[gate.status]:<11} {number(gate.value):>9}  "
        f"bound {number(gate.bound):>9}  threshold {number(gate.threshold):>9}  n {gate.n:,}"
        for gate in entry.judgement.gates
    ]
