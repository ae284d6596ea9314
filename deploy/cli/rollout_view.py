"""One rollout as JSON and as lines for people. No I/O but printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deploy.cli.output import print_json, print_table

_LONGEST_LINE = 4000
"""Characters: a reason that names every open gate has some hundreds."""

if TYPE_CHECKING:
    from contracts.control import RolloutState, ServingSet
    from contracts.judgement import GateResult
    from contracts.offset_metadata import OffsetMetadata
    from contracts.spec import ModelSpec
    from rollout.partitions import InputPartition
    from rollout.standing import Standing

WORDS = {
    "passed": "✓ passed",
    "failed": "✗ FAILED",
    "undecided": "… open",
    "unjudged": "– too thin",
    "not_configured": "– not set",
}
"""Gate statuses as people read them."""


def status_document(
    standing: Standing,
    *,
    now: datetime,
    adoption: Mapping[InputPartition, OffsetMetadata] | None = None,
    controllers: int | None = None,
) -> dict[str, Any]:
    """Everything that is known of a rollout, for programs.

    Args:
        standing: the rollout.
        now: with a time zone.
        adoption: what the stable lanes have adopted; None when it was not asked for.
        controllers: members of the controller's group; None likewise.
    """
    from rollout.progress import in_phase_for, waits_for

    rollout, judgement = standing.rollout, standing.judgement
    document: dict[str, Any] = {
        "rollout_id": standing.rollout_id,
        "phase": str(standing.phase),
        "paused": standing.paused,
        "verdict": judgement.verdict if judgement else None,
        "code": rollout.code,
        "reason": rollout.reason,
        "waits_for": "" if standing.ended else waits_for(standing, now),
        "running": standing.current and not standing.ended,
        "candidate": rollout.candidate.name,
        "reference": rollout.reference.name,
        "attempt": rollout.attempt,
        "requested_by": rollout.requested_by,
        "started_at": rollout.started_at,
        "phase_since": rollout.phase_since,
        "in_phase_s": round(in_phase_for(rollout, now).total_seconds(), 1),
        "step": rollout.step,
        "served": rollout.served,
        "served_errors": rollout.served_errors,
        "judgement": None
        if judgement is None
        else {"verdict": judgement.verdict, "code": judgement.code, "reason": judgement.reason},
        "gates": [gate.model_dump(mode="json") for gate in judgement.gates] if judgement else [],
        "pairs": judgement.accounting.model_dump(mode="json") if judgement else None,
        "cut": rollout.cut.number if rollout.cut else None,
        "waiting_for": list(rollout.waiting_for),
        "waiting_interactive": list(rollout.waiting_interactive),
        "refusals": [refusal.model_dump(mode="json") for refusal in rollout.refusals],
        "decision": rollout.decision.model_dump(mode="json") if rollout.decision else None,
        "approval": rollout.approval.model_dump(mode="json", exclude={"signature"})
        if rollout.approval
        else None,
        "policy_digest": rollout.policy_digest,
        "replay_from": rollout.replay.asked if rollout.replay else None,
        "serving": serving_document(standing.serving),
        "way_back": way_back_document(standing),
        "revision": standing.revision,
    }
    if adoption is not None:
        epoch = standing.serving.serving_epoch
        document["adoption"] = [
            {
                "partition": one.partition,
                "interactive": one.interactive,
                "serving_epoch": lane.serving_epoch,
                "adopted": lane.has_adopted(epoch),
                "refusal": lane.refusal if lane.refused_epoch == epoch else "",
            }
            for one, lane in sorted(adoption.items())
        ]
    if controllers is not None:
        document["controllers"] = controllers
    return document


def serving_document(serving: ServingSet) -> dict[str, Any]:
    """Which models serve, for programs."""
    return {
        "stable": spec_document(serving.stable),
        "candidate": spec_document(serving.candidate) if serving.candidate else None,
        "share": serving.share,
        "serving_epoch": serving.serving_epoch,
    }


def way_back_document(standing: Standing) -> dict[str, Any] | None:
    """The promotion that can be taken back, and how, for programs; None when there is none."""
    promoted = standing.way_back
    if promoted is None:
        return None
    before = ""
    if standing.current and not standing.ended:
        before = f"mgeo rollout abort {standing.rollout_id}"
    return {
        "rollout_id": promoted.rollout_id,
        "returns_to": promoted.reference.name,
        "command": f"mgeo rollout rollback {promoted.rollout_id}",
        "first": before,
    }


def way_back_words(standing: Standing) -> list[str]:
    """The same for people, the command first; nothing where there is none."""
    document = way_back_document(standing)
    return [] if document is None else [f"{_way_back(document)} (to {document['returns_to']})"]


def _way_back(document: Mapping[str, Any]) -> str:
    first = f", after {document['first']}" if document["first"] else ""
    return f"{document['command']}{first}"


def spec_document(spec: ModelSpec) -> dict[str, str]:
    """A spec, with the name that people write."""
    return {"name": spec.name, **spec.model_dump(mode="json")}


def nothing_document(state: RolloutState | None, *, controllers: int | None) -> dict[str, Any]:
    """The same fields where no rollout has ever run."""
    return {
        "rollout_id": None,
        "phase": None,
        "paused": False,
        "verdict": None,
        "gates": [],
        "serving": serving_document(state.serving) if state else None,
        "way_back": None,
        "controllers": controllers,
    }


def print_status(document: Mapping[str, Any], standing: Standing) -> None:
    """The document as a page of text."""
    print(printable(headline(standing)))
    for name, value in facts(document):
        print_wrapped(f"  {name:<10} {value}", indent=13)
    gates = standing.judgement.gates if standing.judgement else ()
    if gates:
        print_gates(gates)


def headline(standing: Standing) -> str:
    """Id, phase and the two models, on one line."""
    rollout = standing.rollout
    paused = " (paused)" if standing.paused else ""
    return (
        f"{standing.rollout_id}  {standing.phase}{paused}  "
        f"{rollout.candidate.name} against {rollout.reference.name}"
    )


def facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each line under the headline; what is not known is left out."""
    lines: list[tuple[str, str]] = []
    if document["waits_for"]:
        lines.append(("waits for", document["waits_for"]))
    if document["reason"]:
        lines.append(("because", document["reason"]))
    elif document["code"]:
        lines.append(("because", document["code"]))
    judgement = document["judgement"]
    if judgement is not None:
        verdict = judgement["verdict"].replace("_", " ")
        # While it goes on, what is missing stands under "waits for" and beside the gates.
        words = "" if verdict == "continue" else judgement["reason"] or judgement["code"]
        lines.append(("verdict", f"{verdict}: {words}" if words else verdict))
    pairs = document["pairs"]
    if pairs is not None:
        lines.append(("pairs", _pairs(pairs)))
    serving = document["serving"]
    share = f", candidate at {serving['share']:.0%}" if serving["candidate"] else ""
    lines.append(
        ("serving", f"{serving['stable']['name']}{share} (epoch {serving['serving_epoch']})")
    )
    back = document["way_back"]
    if back is not None:
        lines.append(("way back", f"to {back['returns_to']}: {_way_back(back)}"))
    if document["served"]:
        lines.append(
            (
                "served",
                f"{document['served']:,} by the candidate, {document['served_errors']:,} errors",
            )
        )
    behind = [
        f"interactive {one['partition']}" if one["interactive"] else str(one["partition"])
        for one in document.get("adoption", ())
        if not one["adopted"]
    ]
    if document.get("adoption") and document["running"]:
        total = len(document["adoption"])
        text = f"{total - len(behind)} of {total} partitions"
        lines.append(("adopted", text + (f"; not by {', '.join(behind)}" if behind else "")))
    asker = document["requested_by"] or "unknown"
    lines.append(("started", f"{document['started_at']} by {asker}, try {document['attempt']}"))
    if document.get("controllers") == 0 and document["running"]:
        lines.append(("alarm", "no controller is running: mgeo rollout controller"))
    return lines


def _pairs(pairs: Mapping[str, int]) -> str:
    return (
        f"{pairs['distinct']:,} distinct addresses of {pairs['addresses']:,} in "
        f"{pairs['paired']:,} of {pairs['sampled']:,} records; "
        f"{pairs['candidate_failed']:,} failed by the candidate"
    )


def print_gates(gates: Sequence[GateResult]) -> None:
    """The gates as a table; why, for those that have not passed."""
    told = [gate for gate in gates if gate.status in ("failed", "undecided") or not _slice(gate)]
    print_table(
        ("gate", "", "value", "bound", "threshold", "n"),
        [
            (
                printable(gate.name),
                WORDS[gate.status],
                number(gate.value),
                number(gate.bound),
                number(gate.threshold),
                f"{gate.n:,}",
            )
            for gate in told
        ],
    )
    quiet = [gate for gate in gates if gate not in told]
    if quiet:
        thin = sum(gate.status == "unjudged" for gate in quiet)
        print(f"  {len(quiet) - thin} more slices passed, {thin} are too thin to be judged")
    for gate in told:
        if gate.status not in ("passed", "not_configured") and gate.reason:
            print_wrapped(f"  {gate.name}: {gate.reason}", indent=4)


def printable(text: str) -> str:
    """Text for one line of a terminal: whoever may write a request chooses some of its words, and
    a terminal obeys what it is sent. So what acts, hides or reorders is spelt out."""
    from rollout.report.wording import one_line

    return one_line(text, _LONGEST_LINE)


def print_wrapped(line: str, *, indent: int) -> None:
    """A long line for people, broken between words; in a pipe it stays one line."""
    import shutil
    import sys
    import textwrap

    line = printable(line)
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(line, width, subsequent_indent=" " * indent)
    print(line)


def _slice(gate: GateResult) -> bool:
    return gate.name.startswith("slice:")


def number(value: float | None) -> str:
    """A figure of a gate: four significant places, and never an exponent."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def print_standing_json(standing: Standing, **more: Any) -> None:
    """The document of a rollout, on standard output."""
    print_json({**status_document(standing, now=datetime.now(UTC)), **more})
