"""Making a decision record. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.canonical import digest_of
from contracts.decision import DecisionRecord
from contracts.judgement import Judgement
from contracts.phases import Phase
from contracts.rollout import Cut, Rollout


def decision_record(
    *,
    cluster: str,
    rollout: Rollout,
    phase: Phase,
    cuts: Sequence[Cut],
    judgement: Judgement | None,
    outcomes: int,
    chain: str,
) -> DecisionRecord:
    """The record of a decision taken at the last of ``cuts``.

    Args:
        cluster: incarnation of the control topic.
        rollout: who against whom, under which policy.
        phase: ``PASSED``, or the phase that the rollout ends in.
        cuts: every cut of the rollout so far, in order.
        judgement: what was said at the last one; None when there was none.
        outcomes: pairs folded in.
        chain: hash chain over them, ``sha256:<hex>``.
    """
    return DecisionRecord(
        cluster=cluster,
        rollout_id=rollout.rollout_id,
        phase=phase,
        candidate=rollout.candidate,
        reference=rollout.reference,
        policy=rollout.policy,
        policy_digest=rollout.policy_digest,
        attempt=rollout.attempt,
        golden=rollout.golden,
        share=rollout.share,
        from_offsets=rollout.from_offsets,
        cuts=len(cuts),
        cuts_digest=cuts_digest(cuts),
        final_cut=cuts[-1] if cuts else None,
        judgement=judgement,
        outcomes=outcomes,
        chain=chain,
    )


def cuts_digest(cuts: Sequence[Cut]) -> str:
    """Digest over all cuts, in order."""
    return digest_of({"cuts": [cut.model_dump(mode="json") for cut in cuts]})
