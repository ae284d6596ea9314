"""Exact match by slice: guards that stop a candidate which breaks one part of the traffic. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from contracts.judgement import GateResult
from contracts.policy import SlicePolicy
from rollout.judge.agreement import Matches
from rollout.judge.budget import SLICE_PLACES, ErrorBudget
from rollout.judge.figures import percent, rounded
from rollout.judge.results import Measure, crossed, guard

SLICE: Final = Measure("exact match of the slice", "distinct addresses", percent)

_NAMES: Final = 500
"""Slices counted one by one. A reference that answers with ever new provinces must not fill the
memory; what is beyond is counted together."""

_REST: Final = "*"


@dataclass(slots=True)
class Slices:
    """Counts by slice, and which slices have become guards.

    A slice takes one of ``SLICE_PLACES`` when it reaches ``min_pairs``, first come, in the
    canonical order of the evidence.
    """

    policy: SlicePolicy
    counts: dict[str, Matches] = field(default_factory=dict)
    judged: list[str] = field(default_factory=list)
    n: int = 0

    def add(self, name: str, equal: bool) -> None:
        """Count one address of a slice; nothing where the policy asks for no slices."""
        if not self.policy.by:
            return
        matches = self.counts.get(name)
        if matches is None:
            name = name if len(self.counts) < _NAMES else _REST
            matches = self.counts.setdefault(name, Matches())
        matches.add(equal)
        self.n += 1
        if matches.n == self.policy.min_pairs and name != _REST and len(self.judged) < SLICE_PLACES:
            self.judged.append(name)

    def results(self, budget: ErrorBudget, harmed: set[str]) -> list[GateResult]:
        """One result for each slice, the largest first; adds to ``harmed`` what fired now."""
        order = sorted(self.counts, key=lambda name: (-self.counts[name].n, name))
        judged = set(self.judged)
        least = self.policy.exact_match.min
        results = []
        for slice_name in order:
            name, matches = f"slice:prov={slice_name}", self.counts[slice_name]
            if slice_name in judged:
                seen = matches.harm(least, budget.guard, budget.promote)
                if crossed(seen):
                    harmed.add(name)
                results.append(
                    guard(
                        name,
                        SLICE,
                        seen,
                        least,
                        own_n=self.policy.min_pairs,
                        harmed=name in harmed,
                    )
                )
            elif len(results) < 2 * SLICE_PLACES:
                results.append(self._unjudged(name, matches))
        return results

    def thin(self) -> list[str]:
        """Slices that have pairs and are no guards."""
        judged = set(self.judged)
        return sorted(name for name in self.counts if name not in judged)

    def _unjudged(self, name: str, matches: Matches) -> GateResult:
        share = percent(matches.n / self.n)
        why = (
            f"{self.policy.min_pairs} are needed"
            if matches.n < self.policy.min_pairs
            else f"all {SLICE_PLACES} places for slices are taken"
        )
        return GateResult(
            name=name,
            kind="guard",
            status="unjudged",
            value=rounded(matches.equal / matches.n),
            threshold=self.policy.exact_match.min,
            n=matches.n,
            reason=f"not judged: {matches.n:,} distinct addresses, {share} of all; {why}",
        )
