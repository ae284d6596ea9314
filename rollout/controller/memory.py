"""What the controller remembers: read from the control and audit topics, to their ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
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
class Recorded:
    """What is remembered of one rollout.

    Attributes:
        rollout_id: which.
        phase: the one that it entered last; None where the audit does not say.
        judged: its recorded cuts, in order.
        baking_after: how many of them had been recorded when its bake began; None before.
        outcomes: pairs folded in at the last cut.
        chain: the hash chain over them.
    """

    rollout_id: str = ""
    phase: Phase | None = None
    judged: list[Judged] = field(default_factory=list)
    baking_after: int | None = None
    outcomes: int = 0
    chain: str = ""


@dataclass(slots=True)
class AuditMemory:
    """The audit topic as far as it was read: what is needed of all rollouts, and of two.

    Attributes:
        ids: of all rollouts.
        tries: by ``Rollout.pair``, rollouts that reached SHADOWING.
        current: the rollout that the state speaks of.
        promoted: the last promoted one, once another is registered: when it is taken back, its
            own cuts stand under the decision.
    """

    ids: set[str] = field(default_factory=set)
    tries: Counter[tuple[str, str]] = field(default_factory=Counter)
    current: Recorded = field(default_factory=Recorded)
    promoted: Recorded | None = None

    @property
    def judged(self) -> list[Judged]:
        """The recorded cuts of the rollout that the state speaks of, in order."""
        return self.current.judged

    @property
    def baking_after(self) -> int | None:
        """How many of them had been recorded when its bake began; None before."""
        return self.current.baking_after

    @property
    def history(self) -> History:
        """What decisions are taken from."""
        one = self.current
        return History([judged.cut for judged in one.judged], one.outcomes, one.chain)

    @property
    def last_cut(self) -> int:
        """The number of the newest recorded cut; 0 where there is none."""
        return self.judged[-1].cut.number if self.judged else 0

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
        elif record.cut is not None and record.rollout_id == self.current.rollout_id:
            one = self.current
            one.judged.append(Judged(record.cut.cut, record.cut.judgement.verdict))
            one.outcomes, one.chain = record.cut.outcomes, record.cut.chain

    def _transition(self, phase: Phase, rollout: Rollout | None) -> None:
        if rollout is None:
            return
        if phase is Phase.REGISTERED:
            self.ids.add(rollout.rollout_id)
            if self.current.phase is Phase.PROMOTED:
                self.promoted = self.current
            self.current = Recorded(rollout.rollout_id)
        elif rollout.rollout_id != self.current.rollout_id:
            self._return_to(rollout.rollout_id)
        self.current.phase = phase
        if phase is Phase.SHADOWING:
            self.tries[rollout.pair] += 1
        elif phase is Phase.STAGING:
            self.promoted = None
        elif phase is Phase.BAKING:
            self.current.baking_after = len(self.current.judged)

    def _return_to(self, rollout_id: str) -> None:
        """An earlier rollout moves again: the promoted one is taken back."""
        kept, self.promoted = self.promoted, None
        fits = kept is not None and kept.rollout_id == rollout_id
        self.current = kept if kept is not None and fits else Recorded(rollout_id)


async def read_control(log: Log, memory: ControlMemory) -> None:
    """Read the control topic from where the log stands to its end."""
    ends = await log.ends()
    while not await log.passed(ends):
        for record in await log.poll():
            memory.read(record.value)


async def read_audit(log: Log, wanted: Container[str]) -> AuditMemory:
    """Read the whole audit topic.

    Args:
        log: of the audit topic.
        wanted: the rollouts that the state names: the cuts of others are passed over unread,
            for they are most of the topic.
    """
    memory = AuditMemory()
    log.seek(await log.beginnings())
    ends = await log.ends()
    while not await log.passed(ends):
        memory.take(_records(await log.poll(), wanted))
    return memory


def _records(messages: Iterable[Any], wanted: Container[str]) -> Iterable[AuditRecord]:
    for message in messages:
        if header(message.headers, AUDIT_KIND) == b"cut" and _name(message.key) not in wanted:
            continue
        try:
            yield decode_audit(message.value)
        except PermanentError:
            continue  # a later release's, or a stranger's: not ours to judge from


def _name(key: bytes | None) -> str:
    return (key or b"").decode(errors="replace")
