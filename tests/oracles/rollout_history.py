"""What the audit topic must be, whoever led and however often they were killed: one history."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from contracts.audit import AuditRecord
from contracts.canonical import digest_of
from contracts.control import RolloutState
from contracts.phases import ENDED, Phase
from rollout.stages import TABLE

_PAIRS = {(move.source, move.target) for move in TABLE}


def violations(audit: Sequence[AuditRecord], states: Sequence[RolloutState]) -> list[str]:
    """What is wrong, in words; empty when it is one legal history.

    Args:
        audit: every record of the audit topic, in its order.
        states: every record of the control topic, in its order.
    """
    return [
        *_revisions(audit, states),
        *_transitions(audit),
        *_cuts(audit),
        *_requests(audit, states),
        *_decisions(audit, states),
    ]


def _revisions(audit: Sequence[AuditRecord], states: Sequence[RolloutState]) -> list[str]:
    found = []
    numbers = [state.revision for state in states]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        found.append(f"revisions of the states: {numbers}")
    written = set(numbers)
    told = [record.revision for record in audit]
    if told != sorted(told):
        found.append(f"revisions of the audit fall: {told}")
    found += [f"audit without its state: {one}" for one in told if one not in written]
    for before, after in itertools.pairwise(states):
        if after.serving.serving_epoch < before.serving.serving_epoch:
            found.append(f"the serving epoch falls at revision {after.revision}")
        if before.phase != after.phase and after.revision not in told:
            found.append(f"revision {after.revision} moved without a record")
    return found


def _transitions(audit: Sequence[AuditRecord]) -> list[str]:
    found = []
    at: Phase | None = None
    last: dict[str, Phase] = {}  # of each rollout: a promoted one can be taken up again
    for record in audit:
        entry = record.transition
        if entry is None:
            continue
        taken_back = entry.phase is Phase.ROLLING_BACK and at in ENDED
        if entry.previous != (last.get(record.rollout_id) if taken_back else at):
            found.append(f"{entry.phase} was entered from {entry.previous}, it stood in {at}")
        if (entry.previous, entry.phase) not in _PAIRS:
            found.append(f"no legal move: {entry.previous} to {entry.phase}")
        at = last[record.rollout_id] = entry.phase
    entered = Counter(
        (record.rollout_id, record.transition.phase, record.transition.step)
        for record in audit
        if record.transition is not None
    )
    return found + [f"entered {n} times: {one}" for one, n in entered.items() if n > 1]


def _cuts(audit: Sequence[AuditRecord]) -> list[str]:
    numbers: dict[str, list[int]] = {}
    for record in audit:
        if record.cut is not None:
            numbers.setdefault(record.rollout_id, []).append(record.cut.cut.number)
    return [
        f"cuts of {rollout}: {found}"
        for rollout, found in numbers.items()
        if found != list(range(1, len(found) + 1))
    ]


def _requests(audit: Sequence[AuditRecord], states: Sequence[RolloutState]) -> list[str]:
    offsets = [record.request.offset for record in audit if record.request is not None]
    found = [f"request {at} judged {n} times" for at, n in Counter(offsets).items() if n > 1]
    if offsets and states[-1].next_request_offset != offsets[-1] + 1:
        found.append(f"next request {states[-1].next_request_offset}, last judged {offsets[-1]}")
    return found


def _decisions(audit: Sequence[AuditRecord], states: Sequence[RolloutState]) -> list[str]:
    rollout = states[-1].rollout
    if rollout is None or rollout.decision is None:
        return []
    digests = {digest_of(record.decision) for record in audit if record.decision is not None}
    return [] if rollout.decision.digest in digests else ["the state's decision is not recorded"]
