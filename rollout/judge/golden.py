"""The gate of the labelled set: one look, taken before any traffic. Pure."""

from __future__ import annotations

from typing import Final

from contracts.judgement import GateResult
from contracts.policy import GoldenPolicy
from contracts.rollout import GoldenOutcome

NAME: Final = "golden"


def golden_gate(policy: GoldenPolicy, outcome: GoldenOutcome | None) -> GateResult:
    """What the labelled set says.

    ``failed`` below the margin; ``undecided`` where it is required and missing, or too small to
    say anything; ``not_configured`` where the policy asks for none, which is never a pass.
    """
    if outcome is None:
        if policy.required is True or (policy.required == "auto" and policy.path is not None):
            return GateResult(
                name=NAME,
                kind="golden",
                status="undecided",
                threshold=policy.min_delta,
                reason="the policy requires a golden set, and none was looked at",
            )
        return GateResult(
            name=NAME,
            kind="golden",
            status="not_configured",
            threshold=policy.min_delta,
            reason="the policy names no golden set: whether the candidate is better was not judged",
        )
    low, high = outcome.interval
    figures = (
        f"mean F1 {outcome.reference_f1:.4f} → {outcome.candidate_f1:.4f} over"
        f" {outcome.addresses:,} labelled addresses: {outcome.mean_delta:+.4f}"
        f" (95% interval {low:+.4f} to {high:+.4f})"
    )
    if outcome.mean_delta < policy.min_delta:
        status, ending = "failed", f"below the {policy.min_delta:+.4f} allowed"
    elif outcome.addresses < policy.min_addresses:
        status, ending = "undecided", f"{policy.min_addresses} labelled addresses are needed"
    else:
        status, ending = "passed", f"not below the {policy.min_delta:+.4f} allowed"
    return GateResult(
        name=NAME,
        kind="golden",
        status=status,
        value=outcome.mean_delta,
        bound=low,
        threshold=policy.min_delta,
        n=outcome.addresses,
        reason=f"{figures}; {ending}",
    )
