"""Who takes part in a fold: what it needs of judges, watches, observers and recorders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from contracts.events import ShadowPair
from contracts.judgement import GateResult, Judgement
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome, ParityOutcome
from rollout.evidence.pairing import AddressEvidence, PairEvidence
from rollout.evidence.production import ProductionEvidence
from rollout.judge.look import Look


class Judging(Protocol):
    """What the fold needs of a judge (``rollout.judge.Judge``)."""

    def address(self, outcome: AddressOutcome) -> None:
        """One distinct address."""

    def batch(self, outcome: BatchOutcome) -> None:
        """One device batch."""

    def parity(self, outcome: ParityOutcome) -> None:
        """One comparison with production."""

    def look(self, look: Look) -> Judgement:
        """The judgement at a cut."""


class Watching(Protocol):
    """What the fold needs of a watch over the bake (``rollout.judge.BakeWatch``)."""

    def address(self, outcome: AddressOutcome) -> None:
        """One address that is distinct within the bake."""

    @property
    def alarm(self) -> GateResult | None:
        """The alarm, once it was raised."""


class Observer(Protocol):
    """Sees what is folded, in canonical order: for reports."""

    def pair(self, pair: ShadowPair, outcomes: Sequence[AddressOutcome]) -> None:
        """A pair that was folded, with those of its addresses that are first occurrences."""

    def batch(self, outcome: BatchOutcome) -> None:
        """A device batch, once."""


class Recorder(Protocol):
    """Writes down what is folded, in canonical order, so that it can be folded again."""

    def record(self, evidence: PairEvidence, fresh: Sequence[AddressEvidence]) -> None:
        """A record of the sample, with those of its addresses that are first occurrences."""

    def production(self, result: ProductionEvidence) -> None:
        """One of production's results that can be compared, or the last one of its cut."""
