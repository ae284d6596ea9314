"""Counting records of the sample, and what production served. Bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.judgement import Accounting
from contracts.rollout import Cut, Rollout
from rollout.evidence.pairing import PairEvidence
from rollout.evidence.production import ProductionEvidence

_EPOCHS_MAX: Final = 4096
"""Pairs of spec and epoch that are counted: a rollout has a handful."""


class Counts:
    """Records of the sample by what became of them."""

    def __init__(self) -> None:
        self.paired = 0
        self.unreadable = 0
        self.candidate_failed = 0
        self.reference_failed = 0
        self.repeated = 0
        self.ignored = 0
        self.addresses = 0
        self.oldest_input_ms: int | None = None
        self.newest_input_ms: int | None = None
        self.partitions: set[int] = set()

    @property
    def sampled(self) -> int:
        """Records that are settled: each is one of four kinds."""
        return self.paired + self.unreadable + self.candidate_failed + self.reference_failed

    def take(self, evidence: PairEvidence, *, now_ms: int) -> None:
        """Count one record at the time of its cut.

        Publishers' clocks may be ahead: no input is taken to be younger than its cut, or
        evidence of last week could look fresh.
        """
        match evidence.kind:
            case "paired":
                self.paired += 1
                self.addresses += evidence.size
                self.partitions.add(evidence.partition)
                if evidence.input_ms is not None and evidence.input_ms >= 0:  # -1: it has no time
                    self._seen_at(min(evidence.input_ms, now_ms))
            case "unreadable":
                self.unreadable += 1
            case "candidate_failed" | "missing":
                self.candidate_failed += 1
            case "reference_failed":
                self.reference_failed += 1

    def accounting(self, cut: Cut | None, rollout: Rollout, *, distinct: int) -> Accounting:
        """The counts as of the newest cut."""
        ends = cut.events if cut is not None else {}
        return Accounting(
            sampled=self.sampled,
            paired=self.paired,
            unreadable=self.unreadable,
            candidate_failed=self.candidate_failed,
            reference_failed=self.reference_failed,
            repeated=self.repeated,
            addresses=self.addresses,
            distinct=distinct,
            partitions_with_traffic=sum(
                end > rollout.from_offsets.get(partition, 0) for partition, end in ends.items()
            ),
            partitions_with_pairs=len(self.partitions),
            oldest_input_ms=self.oldest_input_ms,
            newest_input_ms=self.newest_input_ms,
        )

    def _seen_at(self, input_ms: int) -> None:
        oldest, newest = self.oldest_input_ms, self.newest_input_ms
        self.oldest_input_ms = input_ms if oldest is None else min(oldest, input_ms)
        self.newest_input_ms = input_ms if newest is None else max(newest, input_ms)


class Served:
    """Addresses and errors of production's results, by spec and serving epoch.

    Args:
        spec_keys: the specs that are counted.
    """

    def __init__(self, spec_keys: Sequence[str]) -> None:
        self._specs = frozenset(spec_keys)
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}

    def take(self, result: ProductionEvidence) -> None:
        """Count one result."""
        key = (result.spec_key, result.serving_epoch)
        if result.spec_key not in self._specs or (
            key not in self._counts and len(self._counts) >= _EPOCHS_MAX
        ):
            return
        addresses, errors = self._counts.get(key, (0, 0))
        self._counts[key] = (addresses + result.addresses, errors + result.errors)

    def of(self, spec_key: str, serving_epoch: int) -> tuple[int, int]:
        """Addresses and errors under one spec and epoch."""
        return self._counts.get((spec_key, serving_epoch), (0, 0))
