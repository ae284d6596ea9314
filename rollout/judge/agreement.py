"""Gates on agreement and on errors: what is counted of every distinct address. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rollout.judge.figures import percent, points, score
from rollout.judge.results import Measure, Seen
from rollout.stats.means import Tally
from rollout.stats.proportions import log_e_above, log_e_below, lower_bound

EXACT_MATCH: Final = Measure("exact match", "distinct addresses", percent)
SPAN_F1: Final = Measure("mean span F1", "distinct addresses", score)
ERROR_RATE: Final = Measure(
    "candidate errors less reference errors", "distinct addresses", points, good="below"
)


@dataclass(slots=True)
class Matches:
    """How many flat views were equal: of all addresses, or of one slice."""

    n: int = 0
    equal: int = 0

    def add(self, equal: bool) -> None:
        """Count one address."""
        self.n += 1
        self.equal += equal

    def proof(self, minimum: float, alpha: float) -> Seen:
        """Figures on "the share is above ``minimum``"."""
        return self._seen(log_e_above(self.equal, self.n, minimum), alpha, alpha)

    def harm(self, minimum: float, alpha: float, alpha_bound: float) -> Seen:
        """Figures on "the share is below ``minimum``"."""
        return self._seen(log_e_below(self.equal, self.n, minimum), alpha, alpha_bound)

    def _seen(self, log_e: float, alpha: float, alpha_bound: float) -> Seen:
        if not self.n:
            return Seen(None, None, 0, 0.0, alpha)
        bound = lower_bound(self.equal, self.n, alpha_bound)
        return Seen(self.equal / self.n, bound, self.n, log_e, alpha)


@dataclass(slots=True)
class Spans:
    """F1 of the candidate's spans against the reference's, address by address."""

    tally: Tally = field(default_factory=Tally)

    def add(self, f1: float) -> None:
        """Count one address.

        Raises:
            ValueError: it is no F1.
        """
        self.tally.add(f1)

    def proof(self, minimum: float, alpha: float) -> Seen:
        """Figures on "the mean is above ``minimum``"."""
        return self._seen(self.tally.log_e_above(minimum), alpha, alpha)

    def harm(self, minimum: float, alpha: float, alpha_bound: float) -> Seen:
        """Figures on "the mean is below ``minimum``"."""
        return self._seen(self.tally.log_e_below(minimum), alpha, alpha_bound)

    def _seen(self, log_e: float, alpha: float, alpha_bound: float) -> Seen:
        if not self.tally.n:
            return Seen(None, None, 0, 0.0, alpha)
        bound = self.tally.lower_bound(alpha_bound)
        return Seen(self.tally.mean, bound, self.tally.n, log_e, alpha)


@dataclass(slots=True)
class ErrorDifference:
    """Candidate error less reference error, by address: −1, 0 or 1."""

    tally: Tally = field(default_factory=lambda: Tally(-1.0, 1.0))

    def add(self, *, candidate: bool, reference: bool) -> None:
        """Count one address."""
        self.tally.add(float(candidate - reference))

    def harm(self, most: float, alpha: float, alpha_bound: float) -> Seen:
        """Figures on "the mean difference is above ``most``"."""
        if not self.tally.n:
            return Seen(None, None, 0, 0.0, alpha)
        bound = self.tally.upper_bound(alpha_bound)
        return Seen(self.tally.mean, bound, self.tally.n, self.tally.log_e_above(most), alpha)
