"""Recomputes a rollout's decisions from its evidence and says, field by field, what differs.

From the topics while they hold the evidence, else from the archive that a report left. It trusts
no figure of a record: only the logs (or the archived rows) and the rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from contracts.audit import CutEntry, RequestEntry, TransitionEntry
from contracts.errors import MgeoError, PermanentError
from contracts.requests import RolloutRequest, decode_request
from contracts.rollout import Rollout
from contracts.topics import TopicNames
from rollout.approvals import Keyring
from rollout.chronicle import Asked, Chronicle, Decided, Moved, RecordedCut
from rollout.differences import Difference
from rollout.evidence.archive import refold
from rollout.logbook import Progress, expired, newest_state, read_chronicle, refolded, silent, until
from rollout.logs import OpenLog
from rollout.recomputing import (
    CutChecker,
    Refolded,
    check_approval,
    check_decision,
    check_request,
)
from rollout.report.archive import CUTS, EVIDENCE, read_cuts
from rollout.report.data import ReportData
from rollout.report.writing import DECISION, JSON

_MOST: Final = 50
"""Differences that are listed: one changed result can change a hundred figures."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it.

    Attributes:
        rollout_id: which rollout.
        outcome: ``ok``; ``differs``; ``cannot`` where it can't be told.
        source: what it was recomputed from.
        decisions: digests of the decision records that were checked, in order.
        cuts: how many cuts were folded anew.
        differences: what differs, at most so many that a person reads them.
        more: how many more there are.
        why: for ``cannot``: why, as one sentence.
        hint: what to do then.
        code: the same as a stable code.
        notes: what else should be known, one sentence each.
    """

    rollout_id: str
    outcome: Literal["ok", "differs", "cannot"]
    source: Literal["topics", "archive"]
    decisions: tuple[str, ...] = ()
    cuts: int = 0
    differences: tuple[Difference, ...] = ()
    more: int = 0
    why: str = ""
    hint: str = ""
    code: str = ""
    notes: tuple[str, ...] = ()


async def verify(
    open_log: OpenLog,
    names: TopicNames,
    rollout_id: str,
    *,
    archive: Path | None = None,
    keyring: Keyring | None = None,
    progress: Progress = silent,
) -> Verification:
    """Recompute every decision of a rollout from the topics.

    Args:
        open_log: opens a topic (``producer.topic_log.TopicLog`` is one).
        names: of the topics.
        rollout_id: which rollout.
        archive: the directory of a report: used where the topics no longer hold the evidence.
        keyring: keys that approvals may be signed with; None leaves signatures unchecked.
        progress: told how far it is.

    Raises:
        BackendUnreachableError: Kafka does not answer.
        UsageError: ``no_topic`` or ``unknown_rollout``.
    """
    chronicle = await read_chronicle(open_log, names, rollout_id)
    rollout = chronicle.registered
    if rollout is None:
        return Verification(
            rollout_id,
            "cannot",
            "topics",
            why="the audit does not say what this rollout was about",
            hint="it was written by an earlier release",
            code="decision_unverifiable",
        )
    gone = await expired(open_log, names, rollout)
    if gone:
        return _from_archive(chronicle, archive, keyring, gone)
    checker = CutChecker(frozenset(one.cuts for one in chronicle.decisions))
    folded = refolded(open_log, names, rollout, chronicle.cuts, progress=progress)
    async with aclosing(folded) as steps:
        async for recorded, judgement, trial in steps:
            checker.take(recorded, Refolded(judgement, trial.outcomes, trial.chain))
            if judgement.code == "evidence_expired" != recorded.judgement.code:
                return _from_archive(chronicle, archive, keyring, (names.events,))
    found, notes = _checked(chronicle, rollout, checker, keyring)
    request = await _start_request(open_log, names, chronicle)
    if request is None:
        notes.append("The request that started it was not found on the requests topic.")
    else:
        found.extend(check_request(request, rollout))
    state = await newest_state(open_log, names)
    current = None if state is None else state.rollout
    if current is not None and current.rollout_id == rollout_id and chronicle.decisions:
        named = current.decision
        last = chronicle.decisions[-1].digest
        if named is not None and named.digest != last:
            found.append(Difference("state.rollout.decision", named.digest, last))
    return _told(chronicle, "topics", checker, found, notes)


def verify_archive(
    directory: Path, *, keyring: Keyring | None = None, expected: str = ""
) -> Verification:
    """Recompute the decision of an archive: report, cuts and evidence of one directory.

    Args:
        directory: as ``mgeo rollout report`` wrote it.
        keyring: keys that approvals may be signed with; None leaves signatures unchecked.
        expected: digest that the audit names for it; empty where there is no audit.
    """
    try:
        data = ReportData.model_validate_json((directory / JSON).read_bytes())
        entries = read_cuts(directory / CUTS)
        document = json.loads((directory / DECISION).read_bytes())
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        return _cannot_archive("", f"the archive {directory} has no {missing}")
    except (OSError, ValueError) as error:
        return _cannot_archive("", f"the archive {directory} cannot be read: {_first(error)}")
    rollout = data.rollout
    if rollout is None or not isinstance(document, dict):
        return _cannot_archive("", f"the archive {directory} is not of a rollout")
    chronicle = _chronicle_of(data, rollout, entries, document)
    decided = chronicle.decisions[0]
    chosen = entries[: max(0, decided.cuts)]
    checker = CutChecker(frozenset({decided.cuts}))
    try:
        again = refold(directory / EVIDENCE, rollout, [one.cut for one in chosen])
    except MgeoError as error:
        return _cannot_archive(
            rollout.rollout_id, f"the archived evidence cannot be read: {_first(error)}"
        )
    folds = zip(chosen, again.judgements, again.links, strict=True)
    for entry, judgement, (outcomes, chain) in folds:
        checker.take(RecordedCut.of(entry), Refolded(judgement, outcomes, chain))
    found, notes = _checked(chronicle, rollout, checker, keyring, last_decision_only=True)
    if expected and expected != decided.digest:
        found.append(Difference("decision.digest", decided.digest, expected, "as the audit has it"))
    if data.decision_digest and data.decision_digest != decided.digest:
        found.append(Difference("report.decision_digest", data.decision_digest, decided.digest))
    return _told(chronicle, "archive", checker, found, notes)


def _checked(
    chronicle: Chronicle,
    rollout: Rollout,
    checker: CutChecker,
    keyring: Keyring | None,
    *,
    last_decision_only: bool = False,
) -> tuple[list[Difference], list[str]]:
    found = list(checker.differences)
    cuts = [one.cut for one in chronicle.cuts]
    for decided in chronicle.decisions:
        if decided.cuts > 0 and decided.cuts not in checker.kept:
            found.append(
                Difference(
                    f"decision[{chronicle.decisions.index(decided) + 1}].cuts",
                    str(decided.cuts),
                    f"at most {len(cuts)}",
                )
            )
            continue
        now = checker.kept.get(decided.cuts)
        found.extend(check_decision(decided, chronicle, rollout, cuts, now))
    wrong, said = check_approval(chronicle, rollout, keyring, last_decision_only=last_decision_only)
    return [*found, *wrong], [said] if said else []


def _told(
    chronicle: Chronicle,
    source: Literal["topics", "archive"],
    checker: CutChecker,
    found: Iterable[Difference],
    notes: Iterable[str],
) -> Verification:
    listed = list(found)
    result = Verification(
        rollout_id=chronicle.rollout_id,
        outcome="differs" if listed else "ok",
        source=source,
        decisions=tuple(one.digest for one in chronicle.decisions),
        cuts=checker.seen,
        differences=tuple(listed[:_MOST]),
        more=max(0, len(listed) - _MOST),
        notes=tuple(notes),
    )
    if listed or chronicle.decisions:
        return result
    return replace(
        result,
        outcome="cannot",
        code="nothing_decided",
        why=f"nothing is decided yet; its {checker.seen} cuts were folded anew and agree",
        hint="verify again when it has passed or ended",
    )


def _from_archive(
    chronicle: Chronicle,
    archive: Path | None,
    keyring: Keyring | None,
    gone: tuple[str, ...],
) -> Verification:
    topics = " and ".join(gone)
    if archive is None:
        return Verification(
            chronicle.rollout_id,
            "cannot",
            "topics",
            decisions=tuple(one.digest for one in chronicle.decisions),
            why=f"{topics} no longer holds all evidence of this rollout",
            hint="name the directory that mgeo rollout report wrote while it did",
            code="evidence_expired",
        )
    expected = chronicle.decisions[-1].digest if chronicle.decisions else ""
    said = f"{topics} no longer holds all evidence of this rollout: its archive was checked."
    result = verify_archive(archive, keyring=keyring, expected=expected)
    return replace(result, notes=(said, *result.notes))


def _cannot_archive(rollout_id: str, why: str) -> Verification:
    return Verification(
        rollout_id,
        "cannot",
        "archive",
        why=why,
        hint="mgeo rollout report ID --out DIR writes all files of an archive",
        code="archive_incomplete",
    )


def _chronicle_of(
    data: ReportData, rollout: Rollout, entries: list[CutEntry], document: dict[str, object]
) -> Chronicle:
    """What the audit would say, from what the report kept of it."""
    chronicle = Chronicle(rollout.rollout_id, data.incarnation, rollout, rollout)
    chronicle.tries[rollout.pair] = rollout.attempt - 1
    chronicle.requests.extend(
        Asked(
            one.at,
            RequestEntry(
                request_id="",
                kind=one.kind,
                offset=-1,
                accepted=one.accepted,
                code=one.code,
                message=one.message,
                requested_by=one.requested_by,
            ),
        )
        for one in data.requests
    )
    chronicle.cuts.extend(map(RecordedCut.of, entries))
    chronicle.transitions.extend(
        Moved(
            one.at,
            one.revision,
            TransitionEntry(
                previous=one.previous,
                phase=one.phase,
                code=one.code,
                reason=one.reason,
                step=one.step,
                serving=one.serving,
            ),
            None,
        )
        for one in data.transitions
    )
    decided_phase = document.get("phase")
    at = next((one for one in chronicle.transitions if one.entry.phase == decided_phase), None)
    chronicle.decisions.append(
        Decided(
            data.generated_at if at is None else at.at, 0 if at is None else at.revision, document
        )
    )
    if rollout.approval is not None:  # the report keeps the rollout with its approval
        chronicle.transitions[:] = [replace(one, rollout=rollout) for one in chronicle.transitions]
    return chronicle


async def _start_request(
    open_log: OpenLog, names: TopicNames, chronicle: Chronicle
) -> RolloutRequest | None:
    asked = next(
        (
            one.entry
            for one in chronicle.requests
            if one.entry.kind == "start" and one.entry.accepted
        ),
        None,
    )
    if asked is None:
        return None
    async with open_log(names.requests) as log:
        log.seek(await log.beginnings())
        log.seek(dict.fromkeys(log.partitions[:1], asked.offset))
        async with aclosing(until(log, await log.ends())) as records:
            async for record in records:
                if record.offset != asked.offset:
                    return None
                try:
                    return decode_request(record.value)
                except PermanentError:
                    return None
    return None


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"{error.error_count()} fields are wrong"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
