"""Which results are counted on which side: by publisher, and by the model that made them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.events import ParsedBatch
from rollout.insights.counting import NamedCounts

Take = Callable[[ParsedBatch, int | None], None]
"""Takes a result record, and when Kafka took it in, in epoch milliseconds."""


def served_by(batch: ParsedBatch, version: str) -> bool:
    """Whether ``VERSION[@PRECISION]`` made this."""
    wanted, _, precision = version.partition("@")
    return batch.model.version == wanted and precision in ("", batch.model.precision)


@dataclass(slots=True)
class Splitter:
    """Hands each result record to those that want it.

    Attributes:
        takers: (whether it is meant, who takes it) in order; each that means it gets it.
        source: only results of this publisher; dead letters name none.
        letters: who is told of dead letters.
        versions: every version that came by, for a message.
    """

    takers: tuple[
        tuple[Callable[[ParsedBatch], bool], Callable[[ParsedBatch, int | None], None]], ...
    ]
    letters: tuple[Callable[[str], None], ...] = ()
    source: str | None = None
    unreadable: int = 0
    versions: NamedCounts = field(default_factory=NamedCounts)

    def take(self, batch: ParsedBatch, at_ms: int | None = None) -> None:
        """One result record, and when Kafka took it in."""
        if self.source is not None and batch.source != self.source:
            return
        self.versions.add(f"{batch.model.version}@{batch.model.precision}")
        for meant, take in self.takers:
            if meant(batch):
                take(batch, at_ms)

    def take_letter(self, code: str) -> None:
        """One dead letter; with a publisher asked for it is nobody's."""
        if self.source is None:
            for take in self.letters:
                take(code)
