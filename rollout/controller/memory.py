"""What the controller remembers: read from the control and audit topics, to their ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts.audit import AuditRecord, decode_audit
from contracts.control import RolloutState, decode_state, supersedes
from contracts.errors import PermanentError
from contracts.headers import AUDIT_KIND, header
from contracts.judgement import Verdict
from contracts.phases import Phase
from contracts.rollout import Cut, Rollout
from contracts.spec import ModelSpec
from rollout.controller.plan import History
from rollout.logs import Log


@dataclass(slots=True)
class ControlMemory:
    """The control topic as far as it was read.

    Attributes:
        state: the newest good state; None when there has been none.
        trouble: the code of an unusable record that came after it; empty when there is none.
        unusable: how many unusable records were met.
    """

    state: RolloutState | None = None
    trouble: str = ""
    unusable: Counter[str] = field(default_factory=Counter)

    def read(self, value: bytes | None) -> None:
        """Take one record in."""
        try:
            state = decode_state(value)
        except PermanentError as error:
            self.trouble = error.code
            self.unusable[error.code] += 1
            return
        if supersedes(state, self.state):
            self.state, self.trouble = state, ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A recorded cut, and the verdict at it."""

    cut: Cut
    verdict: Verdict


@dataclass(slots=True)
class AuditMemory:
    """The audit topic as far as it was read: what is needed of all rollouts, and of the newest.

    Attributes:
        ids: of all rollouts.
        tries: by ``Rollout.pair``, rollouts that reached SHADOWING.
        rollout_id: the newest rollout.
        judged: its recorded cuts, in order.
        baking_after: how many of them had been recorded when its bake began; None before.
        outcomes: pairs folded in at the last cut.
        chain: the hash chain over them.
    """

    ids: set[str] = field(default_factory=set)
    tries: Counter[tuple[str, str]] = field(default_factory=Counter)
    rollout_id: str = ""
    judged: list[Judged] = field(default_factory=list)
    baking_after: int | None = None
    outcomes: int = 0
    chain: str = ""

    @property
    def history(self) -> History:
        """What decisions are taken from."""
        return History([one.cut for one in self.judged], self.outcomes, self.chain)

    def tried(self, reference: ModelSpec, candidate: ModelSpec) -> int:
        """Rollouts of this pair whose evidence was looked at."""
        return self.tries[(reference.computes, candidate.computes)]

    def take(self, records: Iterable[AuditRecord]) -> None:
        """Take records in, in the order of the topic."""
        for record in records:
            self._take(record)

    def _take(self, record: AuditRecord) -> None:
        if record.transition is not None:
            self._transition(record.transition.phase, record.rollout)
        elif record.cut is not None and record.rollout_id == self.rollout_id:
            self.judged.append(Judged(record.cut.cut, record.cut.judgement.verdict))
            self.outcomes, self.chain = record.cut.outcomes, record.cut.chain

    def _transition(self, phase: Phase, rollout: Rollout | None) -> None:
        if rollout is None:
            return
        if phase is Phase.REGISTERED:
            self.ids.add(rollout.rollout_id)
            self.rollout_id = rollout.rollout_id
            self.judged, self.baking_after = [], None
            self.outcomes, self.chain = 0, ""
        elif phase is Phase.SHADOWING:
            self.tries[rollout.pair] += 1
        elif phase is Phase.BAKING:
            self.baking_after = len(self.judged)


async def read_control(log: Log, memory: ControlMemory) -> None:
    """Read the control topic from where the log stands to its end."""
    ends = await log.ends()
    while not await log.passed(ends):
        for record in await log.poll():
            memory.read(record.value)


async def read_audit(log: Log, newest: str) -> AuditMemory:
    """Read the whole audit topic.

    Args:
        log: of the audit topic.
        newest: the rollout that the state names: the cuts of others are passed over unread,
            for they are most of the topic.
    """
    memory = AuditMemory()
    log.seek(await log.beginnings())
    ends = await log.ends()
    while not await log.passed(ends):
        memory.take(_records(await log.poll(), newest))
    return memory


def _records(messages: Iterable[Any], newest: str) -> Iterable[AuditRecord]:
    for message in messages:
        if header(message.headers, AUDIT_KIND) == b"cut" and message.key != newest.encode():
            continue
        try:
            yield decode_audit(message.value)
        except PermanentError:
            continue  # a later release's, or a stranger's: not ours to judge from
