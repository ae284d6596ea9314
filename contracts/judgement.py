"""What a judge says at one cut: every gate with its figures, and the verdict. Pure data.

The same values stand in the audit topic, the state, the report and the decision record.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.frozen import Frozen

GateKind = Literal["proof", "guard", "instrument", "golden"]
"""``proof`` must be proven; ``guard`` stops the rollout when harm is proven; ``instrument`` says
whether the measurement can be trusted; ``golden`` is looked at once."""

GateStatus = Literal[
    "passed",  # proof: proven; guard: enough seen, not shown worse; instrument: proven quiet
    "failed",  # guard: harm proven; golden: below its margin
    "undecided",  # not enough seen yet to say either
    "unjudged",  # a slice that is too thin, listed with its share
    "not_configured",  # golden: no set was given; never counts as passed
]

Verdict = Literal["pass", "fail", "continue", "inconclusive", "no_data", "stale"]


class GateResult(Frozen):
    """One gate at one cut."""

    name: str
    """``exact_match``, ``span_f1``, ``error_rate``, ``latency_p99``, ``latency_ratio``, ``aa``,
    ``golden``, ``harm_exact_match``, ``harm_span_f1``, or ``slice:prov=<name>``."""
    kind: GateKind
    status: GateStatus
    value: float | None = None
    """The point estimate, in the unit of the threshold; null while nothing was seen."""
    bound: float | None = None
    """The always-valid confidence bound on the side that matters (lower for a proof of
    agreement, upper for a rate that must stay small); null where there is none."""
    threshold: float | None = None
    n: int = 0
    """Units seen: distinct addresses, device batches or labels."""
    log_e: float | None = None
    """Natural logarithm of the e-value that decides; for display at most 700."""
    log_e_needed: float | None = None
    """It decides once ``log_e`` has reached this: ln(1/α), with the α that this gate has."""
    reason: str = ""
    """One sentence for people, with the figures in it."""


class Accounting(Frozen):
    """Every sampled record below the shadow's commit, by what became of it."""

    sampled: int = 0
    """Input records of the sample that the shadow has passed."""
    paired: int = 0
    """Records with results of both models."""
    unreadable: int = 0
    """Records that nobody can read: unjudgeable, and no fault of the candidate's."""
    candidate_failed: int = 0
    """Records without a candidate result: crashed, refused or missing; each of its addresses
    counts as a candidate error."""
    reference_failed: int = 0
    """Records without a reference result: excluded from the agreement gates."""
    repeated: int = 0
    """Pairs that had been seen already (shadow workers may write one twice)."""
    addresses: int = 0
    """Addresses in paired records."""
    distinct: int = 0
    """Distinct normalised addresses among them: the units of the gates."""
    partitions_with_traffic: int = 0
    partitions_with_pairs: int = 0
    oldest_input_ms: int | None = None
    """Milliseconds since 1970 of the oldest and the newest paired input record."""
    newest_input_ms: int | None = None


class Judgement(Frozen):
    """The answer at one cut."""

    verdict: Verdict
    code: str = ""
    """Why, as a stable code: ``all_gates_passed``, ``gate_failed``, ``noisy_instrument``,
    ``too_few_pairs``, ``no_traffic``, ``stale_evidence``, ``shadow_too_slow``,
    ``max_duration``, ``golden_failed``, ``still_collecting`` …"""
    reason: str = ""
    """The same as one sentence with figures."""
    gates: tuple[GateResult, ...] = ()
    accounting: Accounting = Field(default_factory=Accounting)
    proven: tuple[str, ...] = ()
    """Proof gates that have crossed at this cut or an earlier one; crossing is for good."""
    harmed: tuple[str, ...] = ()
    """Guard gates that have fired at this cut or an earlier one; firing is for good."""

    def gate(self, name: str) -> GateResult | None:
        """The gate of that name."""
        return next((gate for gate in self.gates if gate.name == name), None)
