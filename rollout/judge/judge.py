"""The judge: takes outcomes in, says a judgement at every look. Pure and deterministic.

Owns the counts that gates need and what was once proven. It never keeps an outcome, and its
answers are a function of the outcomes, the looks and the policy alone.
"""

from __future__ import annotations

from typing import Final

from contracts.judgement import GateResult, Judgement
from contracts.policy import Policy
from contracts.rollout import GoldenOutcome
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome, ParityOutcome
from rollout.judge.agreement import (
    ERROR_RATE,
    EXACT_MATCH,
    SPAN_F1,
    ErrorDifference,
    Matches,
    Spans,
)
from rollout.judge.budget import ErrorBudget
from rollout.judge.durations import milliseconds
from rollout.judge.golden import golden_gate
from rollout.judge.instrument import Instrument
from rollout.judge.latency import (
    EXCESS,
    LATENCY_P99,
    LATENCY_RATIO,
    LatencyP99,
    LatencyRatio,
    usable,
)
from rollout.judge.look import Look
from rollout.judge.progress import ProgressMeter
from rollout.judge.results import Measure, Seen, crossed, guard, proof
from rollout.judge.slices import Slices
from rollout.judge.verdict import Facts, verdict

AGREEMENT_GUARDS: Final = ("harm_exact_match", "harm_span_f1")
"""Guards against disagreement, which is harm only where it lasts."""


class Judge:
    """Judges one rollout.

    Feed it outcomes in canonical order, each distinct address and each device batch once, and ask
    at every cut. Fed the same again it says the same again.
    """

    def __init__(self, policy: Policy, *, attempt: int, golden: GoldenOutcome | None) -> None:
        """Start from nothing.

        Args:
            policy: the thresholds.
            attempt: the how-many-eth try of this pair of specs, from 1.
            golden: the look at the labelled set; None where there was none.
        """
        self.policy = policy
        self.budget = ErrorBudget.of(policy.alpha, attempt)
        self._most = policy.shadow.max_pairs
        self._units = 0
        self._matches, self._spans, self._errors = Matches(), Spans(), ErrorDifference()
        self._slices = Slices(policy.slices)
        gates = policy.gates
        self._ratio = LatencyRatio(gates.latency_ratio.max_ratio)
        self._p99 = LatencyP99(gates.latency_p99.max_ratio, gates.latency_p99.min_batches)
        self._instrument = Instrument(policy.aa.max, self.budget.promote)
        self._golden = golden_gate(policy.golden, golden)
        self._progress = ProgressMeter(milliseconds(policy.shadow.stale_after))
        self._proven: set[str] = set()
        self._harmed: set[str] = set()

    @property
    def units(self) -> int:
        """Distinct addresses taken in."""
        return self._units

    @property
    def full(self) -> bool:
        """Whether ``max_pairs`` were taken in: later addresses change nothing."""
        return self._units >= self._most

    def address(self, outcome: AddressOutcome) -> None:
        """Take in one distinct address; nothing more after ``max_pairs``.

        Raises:
            ValueError: the F1 is no number in [0, 1]. Nothing is judged on such a thing.
        """
        if self._units >= self._most:
            return
        if outcome.f1 is not None:
            self._spans.add(outcome.f1)
        self._units += 1
        self._errors.add(candidate=outcome.candidate_error, reference=outcome.reference_error)
        if outcome.exact is not None:
            self._matches.add(outcome.exact)
            self._slices.add(outcome.slice, outcome.exact)

    def batch(self, outcome: BatchOutcome) -> None:
        """Take in one device batch; one without two positive times is left out."""
        if not usable(outcome):
            return
        if self._ratio.n < self._most:
            self._ratio.add(outcome)
        if self._p99.over.n < self._most:
            self._p99.add(outcome)

    def parity(self, outcome: ParityOutcome) -> None:
        """Take in the reference's and production's answer to one distinct address."""
        if self._instrument.n < self._most:
            self._instrument.add(outcome.agrees)

    def look(self, look: Look) -> Judgement:
        """Say how it stands. What is proven at a look stays proven at all later ones."""
        gates = self._gates()
        said = verdict(
            self.policy,
            Facts(
                look=look,
                gates=gates,
                units=self._units,
                thin=self._slices.thin(),
                full=self.full,
                progress=self._progress.look(look),
            ),
        )
        return Judgement(
            verdict=said.verdict,
            code=said.code,
            reason=said.reason,
            gates=tuple(gates),
            accounting=look.accounting,
            proven=tuple(sorted(self._proven)),
            harmed=tuple(sorted(self._harmed)),
        )

    def _gates(self) -> list[GateResult]:
        gates, shadow = self.policy.gates, self.policy.shadow
        promote, harm = self.budget.promote, self.budget.guard
        exact, f1 = gates.exact_match.min, gates.span_f1.min
        p99, ratio = gates.latency_p99, gates.latency_ratio
        most = gates.error_rate.max_increase
        return [
            self._proof("exact_match", EXACT_MATCH, self._matches.proof(exact, promote), exact),
            self._proof("span_f1", SPAN_F1, self._spans.proof(f1, promote), f1),
            self._guard(
                "harm_exact_match",
                EXACT_MATCH,
                self._matches.harm(exact, harm, promote),
                exact,
                shadow.min_pairs,
            ),
            self._guard(
                "harm_span_f1", SPAN_F1, self._spans.harm(f1, harm, promote), f1, shadow.min_pairs
            ),
            self._guard(
                "error_rate",
                ERROR_RATE,
                self._errors.harm(most, harm, promote),
                most,
                shadow.min_pairs,
            ),
            self._guard(
                "latency_p99", LATENCY_P99, self._p99.harm(harm, promote), EXCESS, p99.min_batches
            ),
            self._guard(
                "latency_ratio",
                LATENCY_RATIO,
                self._ratio.harm(harm, promote),
                ratio.max_ratio,
                ratio.min_batches,
            ),
            *self._slices.results(self.budget, self._harmed),
            self._instrument.look(),
            self._golden,
        ]

    def _proof(self, name: str, measure: Measure, seen: Seen, threshold: float) -> GateResult:
        if crossed(seen):
            self._proven.add(name)
        return proof(name, measure, seen, threshold, proven=name in self._proven)

    def _guard(
        self, name: str, measure: Measure, seen: Seen, threshold: float, own_n: int
    ) -> GateResult:
        # In a burst of one hard district the first few hundred addresses are no fair sample, and
        # the shadow serves nobody: disagreement counts as harm from the gate's own n on. Errors
        # and slowness are counted at once: a candidate that crashes is stopped early.
        if crossed(seen) and (name not in AGREEMENT_GUARDS or seen.n >= own_n):
            self._harmed.add(name)
        return guard(name, measure, seen, threshold, own_n=own_n, harmed=name in self._harmed)
