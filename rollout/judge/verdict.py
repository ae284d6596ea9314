"""Which of several possible verdicts is said. Pure; the order below is the rule.

1. fail — harm was proven, or the golden set is below its margin
2. inconclusive, for good — evidence expired, golden set missing, instrument proven noisy
3. no_data — nothing was judged
4. stale — the newest evidence is too old (never while a replay is under way)
5. pass — nothing at all is missing
6. inconclusive, at a limit — the gates are full, or time is up
7. continue

At ``max_duration`` the third and fourth still say what they say: the caller ends the rollout as
inconclusive with their code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.judgement import Accounting, GateResult, Verdict
from contracts.policy import Policy
from rollout.judge.durations import milliseconds
from rollout.judge.look import Look
from rollout.judge.progress import Progress

LISTED: Final = 6
"""So many missing things are named in a reason; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict with its reason."""

    verdict: Verdict
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict is a function of, beside the policy.

    Attributes:
        look: the look.
        gates: every gate's result at it.
        units: distinct addresses judged.
        thin: slices that are too thin to be judged.
        full: the address gates take no more in.
        progress: whether the shadow keeps up.
    """

    look: Look
    gates: Sequence[GateResult]
    units: int
    thin: Sequence[str]
    full: bool
    progress: Progress


def verdict(policy: Policy, facts: Facts) -> Said:
    """The one verdict at a look."""
    time_is_up = facts.look.elapsed_ms >= milliseconds(policy.shadow.max_duration)
    said = (
        _failure(facts.gates)
        or _unusable(facts)
        or _no_data(facts)
        or _stale(policy, facts, time_is_up=time_is_up)
    )
    if said is not None:
        return said
    missing = _missing(policy, facts)
    if not missing:
        return Said("pass", "all_gates_passed", _passed(facts))
    if time_is_up:
        return _out_of_time(policy, facts, missing)
    if facts.full and any(_unproven(gate) for gate in facts.gates):
        return Said(
            "inconclusive",
            "undecided_at_max",
            f"{facts.units:,} distinct addresses are all that are judged, and {_listed(missing)}",
        )
    return Said("continue", "still_collecting", _listed(missing))


def _failure(gates: Sequence[GateResult]) -> Said | None:
    failed = [gate for gate in gates if gate.status == "failed"]
    for kind, code in (("guard", "gate_failed"), ("golden", "golden_failed")):
        of_kind = [gate for gate in failed if gate.kind == kind]
        if of_kind:
            return Said("fail", code, "; ".join(f"{g.name}: {g.reason}" for g in of_kind[:LISTED]))
    return None


def _unusable(facts: Facts) -> Said | None:
    if facts.look.expired:
        partitions = ", ".join(map(str, facts.look.expired))
        return Said(
            "inconclusive",
            "evidence_expired",
            f"evidence of partition {partitions} was deleted before it was read",
        )
    for gate in facts.gates:
        if gate.kind == "golden" and gate.status == "undecided":
            return Said("inconclusive", "golden_missing", gate.reason)
        if gate.kind == "instrument" and gate.status == "failed":
            return Said("inconclusive", "noisy_instrument", gate.reason)
    return None


def _no_data(facts: Facts) -> Said | None:
    seen = facts.look.accounting
    if facts.units or seen.paired or seen.candidate_failed or seen.reference_failed:
        return None
    if facts.look.lag_records > 0:
        return Said(
            "no_data",
            "shadow_silent",
            f"{facts.look.input_records:,} input records, none of them run by a shadow worker",
        )
    if seen.unreadable:
        return Said(
            "no_data", "no_traffic", f"all {seen.unreadable} records of the sample are unreadable"
        )
    if facts.look.input_records:
        return Said(
            "no_data",
            "no_traffic",
            f"none of the {facts.look.input_records:,} input records falls into the sample",
        )
    return Said("no_data", "no_traffic", "no input record since shadowing began")


def _stale(policy: Policy, facts: Facts, *, time_is_up: bool) -> Said | None:
    newest = facts.look.accounting.newest_input_ms
    if facts.look.replaying or newest is None:
        return None
    age = facts.look.now_ms - newest
    if age <= milliseconds(policy.shadow.stale_after):
        return None
    old = f"the newest judged input is {_time(age)} old"
    if facts.look.lag_records <= 0:
        return Said("stale", "stale_evidence", f"{old}, and no newer record waits")
    waits = f"{old}, and {facts.look.lag_records:,} newer records wait for the shadow"
    if not facts.progress.moving:
        return Said("stale", "stale_evidence", f"{waits}, which makes no progress")
    if time_is_up:
        return Said("inconclusive", "shadow_too_slow", waits)
    remaining = milliseconds(policy.shadow.max_duration) - facts.look.elapsed_ms
    if facts.progress.closes_within(remaining, facts.look.lag_records):
        return Said("stale", "stale_evidence", f"{waits}, which is catching up")
    return Said("stale", "shadow_too_slow", f"{waits}, which will not catch up in time")


def _missing(policy: Policy, facts: Facts) -> list[tuple[str, str]]:
    """Codes and words for everything that still stands between this look and a pass."""
    seen, missing = facts.look.accounting, []
    for gate in facts.gates:
        if gate.status in ("undecided", "failed"):
            code = "noisy_instrument" if gate.kind == "instrument" else "undecided_at_max"
            missing.append((code, f"{gate.name} is undecided ({gate.reason})"))
    present = {gate.name for gate in facts.gates if gate.status == "passed"}
    missing += [
        ("undecided_at_max", f"{name} was not judged")
        for name in _REQUIRED
        if name not in present and all(gate.name != name for gate in facts.gates)
    ]
    least = policy.shadow.min_pairs
    if facts.units < least:
        missing.append(
            ("too_few_pairs", f"{facts.units:,} of {least:,} distinct addresses compared")
        )
    span, wanted = _span_ms(seen, facts.look), milliseconds(policy.shadow.min_duration)
    if span < wanted:
        missing.append(
            ("too_few_pairs", f"the evidence spans {_time(span)} of the {_time(wanted)} wanted")
        )
    share = policy.shadow.min_partitions_share
    if seen.partitions_with_pairs < share * seen.partitions_with_traffic:
        heard = f"pairs from {seen.partitions_with_pairs} of {seen.partitions_with_traffic}"
        missing.append(
            ("too_few_pairs", f"{heard} partitions with traffic, {share:.0%} are wanted")
        )
    if policy.slices.when_thin == "inconclusive" and facts.thin:
        missing.append(
            (
                "thin_slice",
                f"{len(facts.thin)} slices have fewer than {policy.slices.min_pairs} addresses",
            )
        )
    return missing


_REQUIRED: Final = (
    "exact_match",
    "span_f1",
    "harm_exact_match",
    "harm_span_f1",
    "error_rate",
    "latency_p99",
    "latency_ratio",
    "aa",
    "golden",
)
"""A pass needs a result of each, whatever the list of gates holds: an empty list is no pass."""


def _out_of_time(policy: Policy, facts: Facts, missing: list[tuple[str, str]]) -> Said:
    codes = [code for code, _ in missing]
    limit = _time(milliseconds(policy.shadow.max_duration))
    if facts.look.replaying and facts.look.lag_records > 0:
        code = "shadow_too_slow"
    else:
        code = next(
            (
                code
                for code in ("too_few_pairs", "noisy_instrument", "undecided_at_max", "thin_slice")
                if code in codes
            ),
            "undecided_at_max",
        )
    return Said("inconclusive", code, f"after {limit}: {_listed(missing)}")


def _unproven(gate: GateResult) -> bool:
    return gate.kind == "proof" and gate.status == "undecided"


def _passed(facts: Facts) -> str:
    decided = sum(gate.status == "passed" for gate in facts.gates)
    return f"all {decided} gates passed on {facts.units:,} distinct addresses"


def _listed(missing: Sequence[tuple[str, str]]) -> str:
    words = [said for _, said in missing[:LISTED]]
    if len(missing) > LISTED:
        words.append(f"and {len(missing) - LISTED} more")
    return "; ".join(words)


def _span_ms(seen: Accounting, look: Look) -> int:
    """How long a time the evidence speaks for: of shadowing, and in a replay of its traffic.

    Live traffic's own times count for nothing: they go on in a pause, and one record with an old
    one would be years.
    """
    if not look.of_the_past or seen.oldest_input_ms is None or seen.newest_input_ms is None:
        return look.elapsed_ms
    return max(look.elapsed_ms, seen.newest_input_ms - seen.oldest_input_ms)


def _time(ms: int) -> str:
    seconds = ms // 1000
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:.1f} h"
