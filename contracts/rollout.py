"""One rollout as it stands in the control record: who against whom, under which policy, where.

Workers read ``rollout_id``, ``candidate``, ``reference``, ``share`` and ``from_offsets``; the rest
is the controller's memory and what people look at.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.events import SINCE_1_1
from contracts.frozen import Frozen
from contracts.judgement import Judgement
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.spec import Digest, ModelSpec

Offsets = dict[int, int]
"""Partition to offset; one past the last record where it is an end."""


class Cut(Frozen):
    """End offsets of the evidence at one moment: what a verdict is a function of."""

    number: int = Field(ge=1)
    """Counts the cuts of one rollout from 1."""
    at: str
    """RFC 3339 in UTC. Staleness is measured from it; no gate depends on it."""
    elapsed_ms: int = Field(ge=0)
    """Milliseconds since shadowing began, pauses not counted."""
    shadow: Offsets
    """``address.shadow``: pairs below these ends are in."""
    parsed: Offsets
    """``address.parsed``: production's results below these ends are in."""
    shadow_committed: Offsets
    """Input offsets that the shadow group has passed: a sampled record below without a pair
    is a candidate error."""
    events: Offsets
    """``address.events``: the ends at that moment; the distance is the shadow's lag."""


class Replay(Frozen):
    """Shadow traffic of the past."""

    asked: str
    """As it was asked for: ``24h``, a moment, or ``offset:N``."""
    until: Offsets
    """The input's ends at the start: the replay is complete when the shadow has passed them."""


class GoldenOutcome(Frozen):
    """The one look at the labelled set, taken before the rollout was asked for."""

    file_digest: Digest
    addresses: int = Field(ge=1)
    reference_f1: float = Field(ge=0.0, le=1.0)
    candidate_f1: float = Field(ge=0.0, le=1.0)
    mean_delta: float
    """Mean over addresses of the candidate's F1 minus the reference's."""
    interval: tuple[float, float]
    """Paired bootstrap interval of ``mean_delta``, 95%."""
    only_candidate_right: int = 0
    only_reference_right: int = 0
    mcnemar_p: float | None = None


class DecisionRef(Frozen):
    """The frozen decision: what an approval signs, and where the whole record stands."""

    digest: Digest
    """SHA-256 of the canonical JSON of the decision record."""
    cut: int
    """The number of the cut that it was taken at."""


class Approval(Frozen):
    """A signature over one decision.

    The signed bytes are ``contracts.approvals.signed_bytes``.
    """

    key_id: str
    """Name of the public key in the controller's keyring."""
    cluster: str
    """The incarnation of the control topic: an approval is good for one system."""
    rollout_id: str
    decision: Digest
    expires_at: str
    """RFC 3339 in UTC."""
    signature: str
    """Ed25519, base64."""


class WorkerRefusal(Frozen):
    """A worker that cannot hold the candidate, as it said so in the offset metadata."""

    partition: int
    code: str
    role: Literal["stable", "shadow"] = "stable"
    interactive: bool = Field(default=False, json_schema_extra=SINCE_1_1)
    """Whether it is a partition of ``address.interactive``; else of ``address.events``."""


class Rollout(Frozen):
    """The way of one candidate. Immutable facts first, then where it stands."""

    rollout_id: str
    candidate: ModelSpec
    reference: ModelSpec
    """The stable spec at the start: what the candidate is judged against, to the end."""
    policy: Policy
    policy_digest: Digest
    attempt: int = Field(default=1, ge=1)
    """The how-many-eth try of this (stable, candidate) pair: it tests at α / (k(k+1))."""
    share: float = Field(gt=0.0, le=1.0)
    """The part of the input records that shadow workers run (``contracts.routing.in_shadow``)."""
    from_offsets: Offsets
    """Input offsets at which the shadow begins."""
    evidence_from: dict[Literal["shadow", "parsed"], Offsets] = Field(default_factory=dict)
    """Where the evidence topics stood at the registration (for a replay: where production's
    results of that past begin): nothing before them is evidence of this rollout."""
    started_revision: int = Field(ge=1)
    """Revision of the state that registered it: it orders rollouts."""
    started_at: str
    requested_by: str = ""
    replay: Replay | None = None
    golden: GoldenOutcome | None = None

    phase_entry: int = Field(ge=1)
    """Revision with which the present phase (or step) was entered: what requests refer to."""
    phase_since: str
    """RFC 3339 in UTC."""
    paused_ms: int = Field(default=0, ge=0)
    """Milliseconds of this phase that timers do not count, for it was paused."""
    paused_since: str | None = None
    shadowing_since: str | None = None
    """RFC 3339 in UTC; when evidence began to be judged. Null before."""
    shadowing_paused_ms: int = Field(default=0, ge=0)
    """Milliseconds since then that were paused: cuts do not count them as elapsed."""
    step: int = Field(default=0, ge=0)
    """Canary step, from 0."""
    served: int = Field(default=0, ge=0)
    """Addresses that the candidate served in this phase (or step), as of the newest cut."""
    served_errors: int = Field(default=0, ge=0)
    share_written: bool = False
    """True once a share above 0 was written: from then on the way back is ROLLING_BACK."""
    ending: Phase | None = None
    """While ROLLING_BACK: the phase that follows once all partitions have adopted."""
    cut: Cut | None = None
    """The newest cut that was judged."""
    judgement: Judgement | None = None
    """What was said at it."""
    waiting_for: tuple[int, ...] = ()
    """Partitions of ``address.events`` that have not adopted the present serving epoch, where
    the phase needs it."""
    waiting_interactive: tuple[int, ...] = Field(default=(), json_schema_extra=SINCE_1_1)
    """The same of ``address.interactive``."""
    refusals: tuple[WorkerRefusal, ...] = ()
    refused_since: str | None = None
    """RFC 3339 in UTC: since when a worker has said that it cannot hold the candidate."""
    decision: DecisionRef | None = None
    approval: Approval | None = None
    code: str = ""
    """Why the present phase was entered, as a stable code."""
    reason: str = ""
    """The same as a sentence for people."""

    @property
    def pair(self) -> tuple[str, str]:
        """Reference and candidate by what they compute: the same weights under another version
        are another try of the same pair."""
        return self.reference.computes, self.candidate.computes
