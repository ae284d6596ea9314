"""The decision record: what was decided, and everything that it was decided from. Pure data.

It is frozen when a rollout passes (and once more, with the same shape, when it ends otherwise).
``contracts.canonical.digest_of`` it is what approvals sign. ``mgeo rollout verify`` recomputes
every field of it from the audit and evidence topics.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from contracts.judgement import Judgement
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Cut, GoldenOutcome, Offsets
from contracts.spec import Digest, ModelSpec


class DecisionRecord(BaseModel):
    """One decision."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )

    cluster: str
    """Incarnation of the control topic."""
    rollout_id: str
    phase: Phase
    """``PASSED`` for a decision to promote; else the phase that the rollout ended in."""
    candidate: ModelSpec
    reference: ModelSpec
    policy: Policy
    policy_digest: Digest
    attempt: int = Field(ge=1)
    golden: GoldenOutcome | None = None
    share: float
    from_offsets: Offsets
    cuts: int = Field(ge=0)
    """How many cuts there were; gates look at every one."""
    cuts_digest: Digest
    """Over the canonical JSON of the list of cuts, in order."""
    final_cut: Cut | None
    judgement: Judgement | None
    outcomes: int = Field(ge=0)
    """Pairs folded in."""
    chain: Digest
    """Hash chain over the outcomes in canonical order: change one result and it differs."""
