"""What a rollout begins with: the facts that its start is judged by, and the rollout. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from contracts.canonical import digest_of
from contracts.policy import Policy
from contracts.requests import RolloutRequest, StartRequest
from contracts.rollout import Offsets, Replay, Rollout
from rollout.controller.plan import Draft
from rollout.stages import Cause


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What the controller looked up for a start request.

    Attributes:
        from_offsets: where the shadow would begin, by input partition.
        ends: the input's ends now.
        evidence_from: where the evidence topics stand now, by kind.
        tries: earlier rollouts of the same pair that reached SHADOWING.
        known_ids: ids of all rollouts that the audit knows.
        guardrail: the field and the sentence of the first guardrail that the policy is looser
            than; None when it is within all of them.
        retention: the code and the sentence of the topic that keeps records too short a time;
            None when all keep them long enough.
    """

    from_offsets: Offsets
    ends: Offsets
    evidence_from: Mapping[Literal["shadow", "parsed"], Offsets] = field(default_factory=dict)
    tries: int = 0
    known_ids: frozenset[str] = frozenset()
    guardrail: tuple[str, str] | None = None
    retention: tuple[str, str] | None = None


def new_rollout(
    request: RolloutRequest, start: StartRequest, facts: StartFacts, draft: Draft
) -> Rollout:
    """The rollout that a start request begins."""
    replay = start.replay_from
    return Rollout(
        rollout_id=request.rollout_id,
        candidate=start.candidate,
        reference=draft.state.serving.stable,
        policy=start.policy,
        policy_digest=digest_of(start.policy),
        attempt=facts.tries + 1,
        share=start.policy.shadow.share,
        from_offsets=facts.from_offsets,
        evidence_from=dict(facts.evidence_from),
        started_revision=draft.revision,
        started_at=draft.at,
        requested_by=request.requested_by,
        replay=None if replay is None else Replay(asked=replay.asked, until=facts.ends),
        golden=start.golden,
        phase_entry=draft.revision,
        phase_since=draft.at,
        code=Cause.START,
        reason=request.reason,
    )


def longest_ms(policy: Policy, *, step_times: float) -> int:
    """The longest that a rollout under this policy can last, in milliseconds.

    Shadowing, the approval where one is required, and every step and the bake held to their
    bound.
    """
    total = policy.shadow.max_duration
    if policy.approval.required:
        total += policy.approval.valid_for
    for step in policy.canary.steps:
        total += step.duration * step_times
    total += policy.bake.duration * step_times
    return round(total.total_seconds() * 1000)
