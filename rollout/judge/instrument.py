"""A/A: does the reference in the shadow say what production says? Pure.

If not, the difference between candidate and reference has another source than the candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.judgement import GateResult
from rollout.judge.figures import needed, percent, rounded, shown_log_e
from rollout.stats.proportions import log_e_above, log_e_below, upper_bound

NAME: Final = "aa"


@dataclass(slots=True)
class Instrument:
    """Disagreement of the same spec with itself, over distinct addresses.

    Attributes:
        most: it must be proven to be below this.
        alpha: of the proof, and of the proof of the contrary.
        n: addresses joined.
        differing: of them, those whose flat views differ.
        quiet: proven to be below at this look or an earlier one.
        noisy: proven to be above likewise.
    """

    most: float
    alpha: float
    n: int = 0
    differing: int = 0
    quiet: bool = False
    noisy: bool = False

    def add(self, agrees: bool) -> None:
        """Count one address."""
        self.n += 1
        self.differing += not agrees

    def look(self) -> GateResult:
        """The result at a look; a proof either way is for good."""
        need = needed(self.alpha)
        have = shown_log_e(log_e_below(self.differing, self.n, self.most))
        against = shown_log_e(log_e_above(self.differing, self.n, self.most))
        self.quiet = self.quiet or have >= need
        self.noisy = self.noisy or against >= need
        if not self.n:
            return GateResult(
                name=NAME,
                kind="instrument",
                status="undecided",
                threshold=self.most,
                log_e=0.0,
                log_e_needed=need,
                reason="no result of the reference could be compared with production's yet",
            )
        value = rounded(self.differing / self.n)
        bound = rounded(upper_bound(self.differing, self.n, self.alpha))
        figures = (
            f"the reference differs from production on {percent(value)} (at most {percent(bound)})"
            f" of {self.n:,} distinct addresses"
        )
        limit = percent(self.most)
        if self.noisy:
            status, ending = "failed", f"proven to be above {limit}"
        elif self.quiet and value < self.most:
            status, ending = "passed", f"proven to be below {limit}"
        else:
            status, ending = "undecided", f"not proven yet to be below {limit}"
        return GateResult(
            name=NAME,
            kind="instrument",
            status=status,
            value=value,
            bound=bound,
            threshold=self.most,
            n=self.n,
            log_e=have,
            log_e_needed=need,
            reason=f"{figures}: {ending}",
        )
