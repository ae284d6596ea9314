"""What a decision is taken from: the state, what is seen of workers and evidence, and now. Pure.

Holds no rule of its own beyond what can be read off: who has adopted, who refuses, what is fresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.audit import CutEntry
from contracts.control import RolloutState
from contracts.judgement import GateResult
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import Phase
from contracts.rollout import Rollout, WorkerRefusal
from rollout.controller.plan import History
from rollout.controller.timing import in_phase, milliseconds
from rollout.partitions import InputPartition, of_both


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a rollout is held before it is given up.

    Attributes:
        refusal: workers have said that they cannot hold the candidate.
        warming: shadow workers are not warm in every partition.
        adoption: stable workers have not adopted a serving set.
        step_times: a canary step or bake lasts at most so many times its own duration.
    """

    refusal: timedelta = timedelta(minutes=2)
    warming: timedelta = timedelta(minutes=30)
    adoption: timedelta = timedelta(minutes=30)
    step_times: float = 12.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The newest cut that was judged.

    Attributes:
        entry: the cut, what was said at it, and the chain there.
        served: addresses and errors of the candidate's results under ``served_epoch``.
        served_epoch: the serving epoch that they were counted for.
        alarm: the bake's alarm, when it rings.
    """

    entry: CutEntry
    served: tuple[int, int] = (0, 0)
    served_epoch: int = 0
    alarm: GateResult | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What the controller sees, beside its own state.

    Attributes:
        partitions: of the input topic; empty while they are not known.
        stable: what the stable group has noted beside its offsets there, by partition.
        interactive_partitions: of the interactive input; empty where there is none.
        interactive: what the stable group has noted there.
        shadow: the same of the rollout's shadow group.
        evidence: the newest judged cut; None until there is one.
    """

    partitions: tuple[int, ...] = ()
    stable: Mapping[int, OffsetMetadata] = field(default_factory=dict)
    shadow: Mapping[int, OffsetMetadata] = field(default_factory=dict)
    evidence: Evidence | None = None
    interactive_partitions: tuple[int, ...] = ()
    interactive: Mapping[int, OffsetMetadata] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a rule looks at."""

    state: RolloutState
    rollout: Rollout
    phase: Phase
    history: History
    observation: Observation
    now: datetime
    bounds: Bounds

    @property
    def elapsed(self) -> timedelta:
        return in_phase(self.rollout, self.now)

    @property
    def missing(self) -> tuple[int, ...]:
        """Partitions of the input that the phase waits for."""
        seen = self.observation
        if self.phase is Phase.WARMING:
            revision = self.rollout.started_revision
            return tuple(
                p
                for p in seen.partitions
                if p not in seen.shadow
                # A revision of another rollout is none of this one.
                or seen.shadow[p].serving_epoch != revision
                or seen.shadow[p].refused_epoch == revision
            )
        return self._not_adopted(seen.partitions, seen.stable)

    @property
    def missing_interactive(self) -> tuple[int, ...]:
        """The same of the interactive input, which no shadow reads."""
        if self.phase is Phase.WARMING:
            return ()
        seen = self.observation
        return self._not_adopted(seen.interactive_partitions, seen.interactive)

    @property
    def all_missing(self) -> tuple[InputPartition, ...]:
        """Both."""
        return of_both(self.missing, self.missing_interactive)

    @property
    def complete(self) -> bool:
        known = bool(self.observation.partitions)
        return known and not self.all_missing

    @property
    def refusals(self) -> tuple[WorkerRefusal, ...]:
        seen = self.observation
        if self.phase is Phase.WARMING:
            revision = self.rollout.started_revision
            return tuple(
                WorkerRefusal(partition=partition, code=code, role="shadow")
                for partition, code in _refused(seen.partitions, seen.shadow, revision)
            )
        epoch = self.state.serving.serving_epoch
        return tuple(
            WorkerRefusal(partition=partition, code=code, interactive=interactive)
            for interactive, partitions, notes in (
                (False, seen.partitions, seen.stable),
                (True, seen.interactive_partitions, seen.interactive),
            )
            for partition, code in _refused(partitions, notes, epoch)
        )

    def _not_adopted(
        self, partitions: tuple[int, ...], notes: Mapping[int, OffsetMetadata]
    ) -> tuple[int, ...]:
        # A lane that serves under the epoch and says no has not adopted it: its worker keeps the
        # traffic going without the candidate.
        epoch = self.state.serving.serving_epoch
        return tuple(p for p in partitions if p not in notes or not notes[p].has_adopted(epoch))

    @property
    def fresh(self) -> bool:
        """Whether the newest evidence is young enough to act on.

        No cut takes an input to be younger than itself; one that lies ahead by more than the limit
        means that the clock has gone back, and then nobody knows how old it is.
        """
        judgement = self.rollout.judgement
        if judgement is None or judgement.verdict in ("no_data", "stale"):
            return False
        newest = judgement.accounting.newest_input_ms
        limit = milliseconds(self.rollout.policy.shadow.stale_after)
        return newest is not None and abs(self.now.timestamp() * 1000 - newest) <= limit


def _refused(
    partitions: tuple[int, ...], notes: Mapping[int, OffsetMetadata], epoch: int
) -> list[tuple[int, str]]:
    """The partitions whose lanes say no to this epoch, and why."""
    return [
        (p, notes[p].refusal)
        for p in partitions
        if p in notes and notes[p].refusal and notes[p].refused_epoch == epoch
    ]
