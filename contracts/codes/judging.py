"""Codes of policies, gates, golden sets and decisions."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final[tuple[CodeSpec, ...]] = (
    CodeSpec(
        "bad_policy",
        ("usage",),
        "A policy file, or a `--set` over it, has an unknown name, a wrong value or is no YAML.",
        "Mend the lines that the message names; `mgeo rollout policy FILE` checks it alone.",
    ),
    CodeSpec(
        "all_gates_passed",
        ("verdict",),
        "Every gate passed at this cut, on enough fresh evidence.",
        "Nothing to mend: the rollout goes on.",
    ),
    CodeSpec(
        "gate_failed",
        ("verdict",),
        "A guard gate has proven that the candidate is worse than the policy allows.",
        "Read that gate’s figures and the worst disagreements in the report; mend the candidate.",
    ),
    CodeSpec(
        "golden_failed",
        ("verdict",),
        "On the labelled set the candidate is worse by more than golden.min_delta.",
        "Run mgeo model compare on the same set to see where it lost; mend the candidate.",
    ),
    CodeSpec(
        "golden_missing",
        ("verdict",),
        "The policy requires a golden set, and none of sufficient size was looked at.",
        "Give golden.path a file with at least golden.min_addresses labelled addresses.",
    ),
    CodeSpec(
        "noisy_instrument",
        ("verdict",),
        "The reference in the shadow was not shown to agree with production’s own results.",
        "Find out why the same model answers differently there: precision, device, batch sizes.",
    ),
    CodeSpec(
        "too_few_pairs",
        ("verdict",),
        "Too few distinct addresses, partitions or hours were compared to say anything.",
        "Let it run longer, raise shadow.share, or replay retained traffic with --replay-from.",
    ),
    CodeSpec(
        "no_traffic",
        ("verdict",),
        "No readable input record came since shadowing began.",
        "Check the publishers; or replay retained traffic with --replay-from.",
    ),
    CodeSpec(
        "shadow_silent",
        ("verdict",),
        "There is traffic, but no shadow worker has run any of it.",
        "Start shadow workers with mgeo worker --role shadow, or look at their logs.",
    ),
    CodeSpec(
        "stale_evidence",
        ("verdict",),
        "The newest judged input is older than shadow.stale_after.",
        "Check whether traffic has stopped, or the shadow workers have.",
    ),
    CodeSpec(
        "shadow_too_slow",
        ("verdict",),
        "The shadow falls behind its input and will not catch up within shadow.max_duration.",
        "Add shadow workers, or lower shadow.share.",
    ),
    CodeSpec(
        "evidence_expired",
        ("verdict",),
        "Kafka deleted evidence before it was read: nothing can be judged on what is left.",
        "Raise the retention of address.shadow and address.parsed, and start again.",
    ),
    CodeSpec(
        "undecided_at_max",
        ("verdict",),
        "The evidence that the policy allows was used up, and some gate is still undecided.",
        "See mgeo rollout policy --explain for what it takes; raise max_duration or max_pairs.",
    ),
    CodeSpec(
        "still_collecting",
        ("verdict",),
        "Evidence is still being gathered; the reason says what is missing.",
        "Nothing: wait.",
    ),
    CodeSpec(
        "thin_slice",
        ("verdict",),
        "A slice has too few addresses to be judged, and the policy wants every slice judged.",
        "Let it run longer, or set slices.when_thin to report.",
    ),
    CodeSpec(
        "bad_golden_set",
        ("usage",),
        "A file of labelled addresses has a row that cannot be used.",
        "Mend the lines that the message names; mgeo golden check FILE checks it alone.",
    ),
    CodeSpec(
        "golden_too_small",
        ("usage",),
        "The golden set has fewer labelled addresses than golden.min_addresses.",
        "Label more; mgeo golden check says what a set of a given size can see.",
    ),
    CodeSpec(
        "nothing_to_compare",
        ("usage",),
        "Neither labelled nor other addresses were given to compare two models on.",
        "Give mgeo model compare a --golden or a --sample file.",
    ),
    CodeSpec(
        "bad_expectation",
        ("usage",),
        "An `--expect` of mgeo rollout policy --explain is no known rate, or out of range.",
        "Write for example --expect exact_match=0.985.",
    ),
    CodeSpec(
        "looser_than_guardrails",
        ("refused", "usage"),
        "The policy is looser than the controller’s guardrails in the fields that are named.",
        "Tighten these fields; mgeo rollout policy FILE --guardrails FILE checks before asking.",
    ),
    CodeSpec(
        "bad_guardrails",
        ("usage",),
        "The controller’s guardrails file has an unknown name, a wrong value or is no YAML.",
        "Mend the lines that the message names; the controller does not start without it.",
    ),
    CodeSpec(
        "runtime_changed",
        ("verdict",),
        "Shadow workers ran other models, precisions or rules than this rollout is about.",
        "Run all shadow workers of one release and configuration, and start again.",
    ),
    CodeSpec(
        "evidence_disordered",
        ("verdict",),
        "The evidence topic has pairs far beyond the shadow’s commit: something else writes it.",
        "See who else writes address.shadow; restrict it with ACLs, and start again.",
    ),
)
"""What is said about each error code."""
