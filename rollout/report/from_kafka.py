"""A report's content from Kafka alone: control, audit, evidence and results. Holds no rule.

It reads each topic once, in bounded memory, and writes to none; a running rollout is reported as it
stands.
"""

from __future__ import annotations

from contextlib import ExitStack, aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from contracts.canonical import digest_of
from contracts.control import RolloutState
from contracts.decision import DecisionRecord
from contracts.errors import UsageError
from contracts.events import ParsedBatch
from contracts.phases import ENDED
from contracts.rollout import Rollout
from contracts.topics import TopicNames
from rollout.chronicle import Chronicle
from rollout.evidence.archive import ArchiveWriter
from rollout.history import Served
from rollout.logbook import (
    Progress,
    expired,
    newest_state,
    read_chronicle,
    refolded,
    silent,
    until,
)
from rollout.logs import OpenLog
from rollout.report.archive import CUTS, EVIDENCE, write_cuts
from rollout.report.data import (
    AlertSeen,
    GateHistory,
    HistoryPoint,
    ReportData,
    RequestSeen,
    ServedFigures,
    TransitionSeen,
)
from rollout.report.figures import Figures
from rollout.report.writing import ReportFiles, prepare, unwritable, write_report

_POINTS: Final = 160
"""Points of a gate's history at most."""

_SLACK: Final = timedelta(minutes=1)
"""Clocks differ: so much before and after the time of serving is read too."""


async def collect(
    open_log: OpenLog,
    names: TopicNames,
    rollout_id: str | None = None,
    *,
    now: datetime,
    progress: Progress = silent,
) -> ReportData:
    """Everything that is known of a rollout.

    Args:
        open_log: opens a topic (``producer.topic_log.TopicLog`` is one).
        names: of the topics.
        rollout_id: which one; None for the one that runs, or ran last.
        now: with a time zone; it stands in the report.
        progress: told how far it is.

    Raises:
        BackendUnreachableError: Kafka does not answer.
        UsageError: ``no_topic``, ``no_rollout`` or ``unknown_rollout``.
    """
    data, _ = await _gathered(open_log, names, rollout_id, None, now=now, progress=progress)
    return data


async def write(
    open_log: OpenLog,
    names: TopicNames,
    rollout_id: str | None,
    directory: Path,
    *,
    now: datetime,
    progress: Progress = silent,
) -> ReportFiles:
    """Write the whole report of a rollout, with the archive that its decision is checked from.

    Args:
        open_log: opens a topic.
        names: of the topics.
        rollout_id: which one; None for the one that runs, or ran last.
        directory: where; it is made. Files of an earlier report in it are replaced.
        now: with a time zone; it stands in the report.
        progress: told how far it is.

    Raises:
        BackendUnreachableError: Kafka does not answer.
        UsageError: ``no_topic``, ``no_rollout``, ``unknown_rollout`` or ``report_unwritable``.
    """
    prepare(directory)
    data, chronicle = await _gathered(
        open_log, names, rollout_id, directory / EVIDENCE, now=now, progress=progress
    )
    files = write_report(data, directory)
    with unwritable(directory):
        write_cuts(directory / CUTS, (one.entry for one in chronicle.cuts))
    return replace(files, evidence=directory / EVIDENCE, cuts=directory / CUTS)


async def _gathered(
    open_log: OpenLog,
    names: TopicNames,
    rollout_id: str | None,
    evidence: Path | None,
    *,
    now: datetime,
    progress: Progress,
) -> tuple[ReportData, Chronicle]:
    state = await newest_state(open_log, names)
    newest = None if state is None else state.rollout
    if rollout_id is None:
        if newest is None:
            raise UsageError(
                "no rollout has ever run here",
                code="no_rollout",
                hint="start one with mgeo rollout start",
            )
        rollout_id = newest.rollout_id
    progress("audit", 0.0)
    chronicle = await read_chronicle(open_log, names, rollout_id)
    progress("audit", 1.0)
    current = newest is not None and newest.rollout_id == rollout_id
    rollout = newest if current else chronicle.rollout
    if rollout is None:
        raise UsageError(
            f"the audit does not say what the rollout {rollout_id[:80]!r} was about",
            code="unknown_rollout",
            hint="it was written by an earlier release; mgeo rollout audit shows its records",
        )
    figures, notes = Figures(), list[str]()
    gone = await expired(open_log, names, rollout)
    notes += [
        f"The topic {topic} no longer holds all of this rollout's evidence: figures beside the "
        "gates are of what is left."
        for topic in gone
    ]
    with ExitStack() as stack:
        archive = None
        if evidence is not None:
            archive = stack.enter_context(ArchiveWriter(evidence, rollout.rollout_id))
        folded = refolded(
            open_log,
            names,
            rollout,
            chronicle.cuts,
            observer=figures,
            archive=archive,
            progress=progress,
        )
        differing = 0
        async with aclosing(folded) as steps:
            async for recorded, judgement, _ in steps:
                differing += judgement.verdict != recorded.judgement.verdict
    if differing and not gone:
        notes.append(
            f"At {differing} of {len(chronicle.cuts)} cuts the evidence says something else now "
            "than was recorded: mgeo rollout verify names what differs."
        )
    served = await _served(open_log, names, chronicle, rollout, progress)
    data = _data(state if current else None, chronicle, rollout, figures, served, tuple(notes), now)
    return data, chronicle


def _data(
    state: RolloutState | None,
    chronicle: Chronicle,
    rollout: Rollout,
    figures: Figures,
    served: tuple[ServedFigures, ...],
    notes: tuple[str, ...],
    now: datetime,
) -> ReportData:
    last = chronicle.cuts[-1] if chronicle.cuts else None
    decision, digest = _decision(chronicle)
    return ReportData(
        generated_at=now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        candidate=rollout.candidate,
        reference=rollout.reference,
        policy=rollout.policy,
        policy_digest=rollout.policy_digest,
        incarnation=chronicle.incarnation,
        rollout=rollout,
        phase=chronicle.phase,
        paused=state.paused if state is not None else False,
        serving=chronicle.transitions[-1].entry.serving if chronicle.transitions else None,
        judgement=None if last is None else last.judgement,
        cut=None if last is None else last.cut,
        cuts=len(chronicle.cuts),
        histories=histories(chronicle),
        transitions=tuple(
            TransitionSeen(
                at=one.at,
                revision=one.revision,
                previous=one.entry.previous,
                phase=one.entry.phase,
                step=one.entry.step,
                code=one.entry.code,
                reason=one.entry.reason,
                serving=one.entry.serving,
            )
            for one in chronicle.transitions
        ),
        requests=tuple(
            RequestSeen(
                at=one.at,
                kind=one.entry.kind,
                accepted=one.entry.accepted,
                code=one.entry.code,
                message=one.entry.message,
                requested_by=one.entry.requested_by,
            )
            for one in chronicle.requests
        ),
        alerts=tuple(AlertSeen(at=at, message=message) for at, message in chronicle.alerts),
        decision=decision,
        decision_digest=digest,
        outcomes=0 if last is None else last.outcomes,
        chain="" if last is None else last.chain,
        disagreements=figures.disagreements(),
        compared=figures.compared,
        components=figures.components(),
        renamings=figures.renamings(),
        slices=figures.slices(),
        latency=figures.latency(),
        golden=rollout.golden,
        served=served,
        notes=notes,
    )


def histories(chronicle: Chronicle) -> tuple[GateHistory, ...]:
    """Every gate over the recorded cuts, thinned evenly; the last cut is always in."""
    cuts = chronicle.cuts
    step = max(1, -(-len(cuts) // _POINTS))
    chosen = [one for number, one in enumerate(cuts, 1) if (len(cuts) - number) % step == 0]
    found: dict[str, GateHistory] = {}
    points: dict[str, list[HistoryPoint]] = {}
    for recorded in chosen:
        for gate in recorded.judgement.gates:
            found[gate.name] = GateHistory(
                name=gate.name,
                kind=gate.kind,
                threshold=gate.threshold,
                log_e_needed=gate.log_e_needed,
            )
            points.setdefault(gate.name, []).append(
                HistoryPoint(
                    cut=recorded.cut.number,
                    n=gate.n,
                    value=gate.value,
                    bound=gate.bound,
                    log_e=gate.log_e,
                )
            )
    return tuple(
        one.model_copy(update={"points": tuple(points[name])}) for name, one in found.items()
    )


def _decision(chronicle: Chronicle) -> tuple[DecisionRecord | None, str]:
    if not chronicle.decisions:
        return None, ""
    last = chronicle.decisions[-1]
    try:
        return DecisionRecord.model_validate(last.document), digest_of(last.document)
    except ValidationError:
        return None, last.digest


async def _served(
    open_log: OpenLog,
    names: TopicNames,
    chronicle: Chronicle,
    rollout: Rollout,
    progress: Progress,
) -> tuple[ServedFigures, ...]:
    """What candidate and reference served from the first share on, to the rollout's end."""
    candidate = rollout.candidate
    serving = [
        one
        for one in chronicle.transitions
        if one.entry.serving.share > 0 or one.entry.serving.stable == candidate
    ]
    if not serving:
        return ()
    epoch = serving[0].entry.serving.serving_epoch
    last = chronicle.transitions[-1]
    book = Served()
    async with open_log(names.parsed) as log:
        ends = await log.ends()
        if last.entry.phase in ENDED:
            ends = await log.since(datetime.fromisoformat(last.at) + _SLACK)
        begin = await log.since(datetime.fromisoformat(serving[0].at) - _SLACK)
        log.seek(begin)
        whole = sum(max(0, end - begin.get(partition, end)) for partition, end in ends.items())
        done = 0
        async with aclosing(until(log, ends)) as records:
            async for record in records:
                done += 1
                if done % 1000 == 0:
                    progress("results", min(1.0, done / max(1, whole)))
                try:
                    batch = ParsedBatch.model_validate_json(record.value or b"")
                except ValidationError:
                    continue
                if batch.model.serving_epoch >= epoch:
                    book.take(batch, record.timestamp)
    progress("results", 1.0)
    own = {candidate.key, rollout.reference.key}
    return tuple(one for one in book.figures() if one.model.key in own)
