"""Made-up outcomes for the judge's tests: as good or as bad as a test wants them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts.judgement import Accounting
from contracts.policy import Policy
from contracts.rollout import GoldenOutcome
from rollout.evidence.outcomes import AddressOutcome, BatchOutcome, ParityOutcome
from rollout.judge import Judge, Look

HOUR_MS = 3_600_000


def policy(**sections: dict[str, Any]) -> Policy:
    """The thresholds that these tests reckon with, whatever the shipped defaults are."""
    gates = {
        "exact_match": {"min": 0.90},
        "span_f1": {"min": 0.95},
        "latency_p99": {"min_batches": 400},
        **sections.pop("gates", {}),
    }
    slices = {"min_pairs": 200, "exact_match": {"min": 0.80}, **sections.pop("slices", {})}
    return Policy.model_validate({"gates": gates, "slices": slices, **sections})


def addresses(
    count: int,
    *,
    differing: float = 0.02,
    f1: float = 0.8,
    candidate_errors: float = 0.0,
    reference_errors: float = 0.0,
    slices: Iterable[str] = ("浙江省", "上海市"),
    start: int = 0,
) -> list[AddressOutcome]:
    """Distinct addresses with exactly these shares, evenly spread."""
    names = tuple(slices)
    made = []
    for i in range(start, start + count):
        candidate = _falls(i, candidate_errors)
        reference = _falls(i + 7, reference_errors)
        differs = _falls(i, differing)
        exact = None if reference else not (differs or candidate)
        score = None if reference else (0.0 if candidate else f1 if differs else 1.0)
        made.append(
            AddressOutcome(
                i % 4, i, 0, i, names[i % len(names)], exact, score, candidate, reference
            )
        )
    return made


def batches(count: int, *, ratio: float = 1.0, slow: float = 0.0) -> list[BatchOutcome]:
    """Device batches whose times spread a little; ``slow`` of the candidate's take ten times."""
    made = []
    for i in range(count):
        reference = 8.0 + (i * 37 % 100) / 50
        candidate = reference * ratio * (0.97 + (i * 53 % 100) / 1660)
        if _falls(i, slow):
            candidate *= 10
        order = "candidate_first" if i * 29 % 97 % 2 else "reference_first"
        made.append(BatchOutcome(f"b-{i}", 20, 500, order, candidate, reference))  # type: ignore[arg-type]
    return made


def parities(count: int, *, differing: float = 0.0) -> list[ParityOutcome]:
    """A/A comparisons."""
    return [ParityOutcome(i, not _falls(i, differing)) for i in range(count)]


def golden(delta: float = 0.01, count: int = 800) -> GoldenOutcome:
    """A look at a labelled set."""
    return GoldenOutcome(
        file_digest="sha256:" + "0" * 64,
        addresses=count,
        reference_f1=0.9,
        candidate_f1=0.9 + delta,
        mean_delta=delta,
        interval=(delta - 0.005, delta + 0.005),
    )


def look(**changes: Any) -> Look:
    """A look after two hours of fresh evidence from all four partitions."""
    accounting = {
        "sampled": 500,
        "paired": 500,
        "addresses": 10_000,
        "distinct": 10_000,
        "partitions_with_traffic": 4,
        "partitions_with_pairs": 4,
        "oldest_input_ms": 0,
        "newest_input_ms": 2 * HOUR_MS,
        **changes.pop("accounting", {}),
    }
    facts = {
        "cut": 1,
        "now_ms": 2 * HOUR_MS + 1000,
        "elapsed_ms": 2 * HOUR_MS,
        "lag_records": 0,
        "input_records": 500,
        **changes,
    }
    return Look(accounting=Accounting(**accounting), **facts)


def judge(
    rules: Policy | None = None,
    *,
    people: Iterable[AddressOutcome] | None = None,
    devices: Iterable[BatchOutcome] | None = None,
    instrument: Iterable[ParityOutcome] | None = None,
    labelled: GoldenOutcome | None = None,
    attempt: int = 1,
) -> Judge:
    """A judge that has seen evidence on which everything passes, but for what is given."""
    made = Judge(rules or policy(), attempt=attempt, golden=labelled)
    for address in addresses(5000) if people is None else people:
        made.address(address)
    for batch in batches(1600) if devices is None else devices:
        made.batch(batch)
    for parity in parities(2000) if instrument is None else instrument:
        made.parity(parity)
    return made


def _falls(index: int, share: float) -> bool:
    """Evenly spread: true for this share of all indices."""
    return int((index + 1) * share) > int(index * share)
