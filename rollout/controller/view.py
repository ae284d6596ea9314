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
        stable: what the stable group has noted beside its offsets, by partition.
        shadow: the same of the rollout's shadow group.
        evidence: the newest judged cut; None until there is one.
    """

    partitions: tuple[int, ...] = ()
    stable: Mapping[int, OffsetMetadata] = field(default_factory=dict)
    shadow: Mapping[int, OffsetMetadata] = field(default_factory=dict)
    evidence: Evidence | None = None


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
        """Partitions that the phase waits for."""
        if self.phase is Phase.WARMING:
            return self._not_at(self.observation.shadow, self.rollout.started_revision)
        return self._not_at(self.observation.stable, self.state.serving.serving_epoch)

    @property
    def complete(self) -> bool:
        return bool(self.observation.partitions) and not self.missing

    @property
    def refusals(self) -> tuple[WorkerRefusal, ...]:
        if self.phase is Phase.WARMING:
            notes, epoch = self.observation.shadow, self.rollout.started_revision
        else:
            notes, epoch = self.observation.stable, self.state.serving.serving_epoch
        role = "shadow" if self.phase is Phase.WARMING else "stable"
        return tuple(
            WorkerRefusal(partition=partition, code=notes[partition].refusal, role=role)
            for partition in self.observation.partitions
            if partition in notes
            and notes[partition].refusal
            and notes[partition].refused_epoch == epoch
        )

    def _not_at(self, notes: Mapping[int, OffsetMetadata], epoch: int) -> tuple[int, ...]:
        if self.phase is Phase.WARMING:  # a revision of another rollout is none of this one
            return tuple(
                p
                for p in self.observation.partitions
                if p not in notes
                or notes[p].serving_epoch != epoch
                or notes[p].refused_epoch == epoch
            )
        return tuple(
            p
            for p in self.observation.partitions
            # A lane that serves under the epoch and says no has not adopted it: its worker
            # keeps the traffic going without the candidate.
            if p not in notes or notes[p].serving_epoch < epoch or notes[p].refused_epoch == epoch
        )

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
