"""Guardrails: what is looser in any one field is objected to by that field's name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.policy import Policy
from contracts.rollout import GoldenOutcome
from rollout.guardrails import Guardrails
from rollout.policy.files import leaves
from tests.properties.policies import policies

EQUAL_TO_THE_DEFAULTS: dict[str, Any] = {
    name: value
    for name, value in leaves(Policy().model_dump(mode="json"))
    if name not in ("golden.path", "canary.steps", "approval.required")
}

LOOSER: dict[str, Any] = {
    "shadow.share": 0.5,
    "shadow.min_pairs": 1999,
    "shadow.max_pairs": 1_000_001,
    "shadow.min_duration": "59m",
    "shadow.max_duration": "25h",
    "shadow.stale_after": "301s",
    "shadow.min_partitions_share": 0.8,
    "aa.max": 0.011,
    "gates.exact_match.min": 0.01,
    "gates.span_f1.min": 0.01,
    "gates.error_rate.max_increase": 0.0011,
    "gates.latency_p99.max_ratio": 1.2,
    "gates.latency_p99.min_batches": 299,
    "gates.latency_ratio.max_ratio": 1.2,
    "gates.latency_ratio.min_batches": 199,
    "golden.min_addresses": 499,
    "golden.min_delta": -0.003,
    "golden.required": False,
    "slices.by": [],
    "slices.min_pairs": 201,
    "slices.exact_match.min": 0.01,
    "slices.when_thin": "report",
    "alpha.promote": 0.06,
    "alpha.abort": 0.0001,
    "alpha.rollback": 0.0001,
    "approval.required": False,
    "approval.valid_for": "25h",
    "bake.duration": "29m",
    "bake.min_results": 9999,
    "bake.max_results": 1_000_001,
    "bake.max_error_rate": 0.06,
    "bake.auto_rollback": False,
    "canary.steps": [],
}
"""For every field of a policy that protects something: a value looser than its guardrail."""

BY_DIGEST = {"golden.path"}
"""Which labelled file it is is bounded by what is in it, not by its name."""


def nested(fields: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in fields.items():
        *sections, last = name.split(".")
        section = document
        for part in sections:
            section = section.setdefault(part, {})
        section[last] = value
    return document


def with_field(policy: Policy, name: str, value: Any) -> Policy:
    document = policy.model_dump(mode="json")
    *sections, last = name.split(".")
    section = document
    for part in sections:
        section = section[part]
    section[last] = value
    return Policy.model_validate(document)


AS_STRICT_AS_CAN_BE = Guardrails.model_validate(
    {
        **(document := nested(EQUAL_TO_THE_DEFAULTS)),
        "approval": {**document["approval"], "required": True},
        "slices": {**document["slices"], "when_thin": "inconclusive"},
        "canary": {
            "min_steps": 2,
            "max_first_share": 0.05,
            "max_increase": 0.5,
            "min_duration": "10m",
            "min_results": 1000,
        },
    }
)
STRICT_POLICY = with_field(
    with_field(Policy(), "approval.required", True), "slices.when_thin", "inconclusive"
)


def test_every_field_of_a_policy_is_boundable() -> None:
    fields = {name for name, _ in leaves(Policy().model_dump(mode="json"))}
    assert fields == set(LOOSER) | BY_DIGEST


def test_a_policy_at_the_guardrails_is_taken() -> None:
    assert AS_STRICT_AS_CAN_BE.objections(STRICT_POLICY) == ()


@pytest.mark.parametrize("name", LOOSER)
def test_a_policy_looser_in_one_field_is_objected_to_by_its_name(name: str) -> None:
    objections = AS_STRICT_AS_CAN_BE.objections(with_field(STRICT_POLICY, name, LOOSER[name]))
    assert {objection.field for objection in objections} == {name}
    assert all(name in objection.message for objection in objections)


@given(policies, st.sampled_from(sorted(LOOSER)))
def test_a_field_looser_than_anothers_is_objected_to_whatever_the_others_are(
    policy: Policy, name: str
) -> None:
    fields = dict(leaves(Policy().model_dump(mode="json")))
    if name == "canary.steps" or (name.startswith("shadow.") and "_" in name):
        return  # lists and ordered pairs have their own tests below
    rail = dict(leaves(AS_STRICT_AS_CAN_BE.model_dump(mode="json")))[name]
    assert name in fields
    guardrails = Guardrails.model_validate(nested({name: rail}))
    loosened = with_field(policy, name, LOOSER[name])
    assert [objection.field for objection in guardrails.objections(loosened)] == [name]
    assert guardrails.objections(with_field(policy, name, rail)) == ()


@given(policies)
def test_a_policy_never_breaks_guardrails_made_from_itself(policy: Policy) -> None:
    document = policy.model_dump(mode="json")
    del document["golden"]["path"]
    steps = document.pop("canary")["steps"]
    for section, name in (("approval", "required"), ("bake", "auto_rollback")):
        if not document[section][name]:
            del document[section][name]
    if steps:
        document["canary"] = {
            "min_steps": len(steps),
            "max_first_share": steps[0]["share"],
            "min_duration": min(step.duration for step in policy.canary.steps),
            "min_results": min(step["min_results"] for step in steps),
        }
    assert Guardrails.model_validate(document).objections(policy) == ()


@given(policies)
def test_no_guardrails_object_to_nothing(policy: Policy) -> None:
    assert Guardrails().objections(policy) == ()


@pytest.mark.parametrize(
    ("rails", "steps", "field"),
    [
        ({"min_steps": 1}, [], "canary.steps"),
        ({"max_first_share": 0.1}, [], "canary.steps"),
        ({"max_first_share": 0.1}, [0.2], "canary.steps[0].share"),
        ({"max_increase": 0.5}, [0.1, 0.7], "canary.steps[1].share"),
        ({"max_increase": 0.5}, [0.1, 0.4], "canary.steps"),
        ({"min_duration": "11m"}, [0.5], "canary.steps[0].duration"),
        ({"min_results": 11}, [0.5], "canary.steps[0].min_results"),
    ],
)
def test_steps_that_hurry_are_objected_to(
    rails: dict[str, Any], steps: list[float], field: str
) -> None:
    policy = with_field(
        Policy(),
        "canary.steps",
        [{"share": share, "duration": "10m", "min_results": 10} for share in steps],
    )
    guardrails = Guardrails.model_validate({"canary": rails})
    assert [one.field for one in guardrails.objections(policy)] == [field]


def test_durations_are_compared_as_times_not_as_text() -> None:
    guardrails = Guardrails.model_validate({"shadow": {"min_duration": "90m"}})
    longer = with_field(Policy(), "shadow.min_duration", "2h")
    assert longer.shadow.min_duration == timedelta(hours=2)
    assert guardrails.objections(longer) == ()


def test_another_labelled_file_than_the_controllers_is_objected_to() -> None:
    ours, other = (f"sha256:{digit * 64}" for digit in "ab")
    guardrails = Guardrails.model_validate({"golden": {"files": [ours]}})

    def looked_at(digest: str) -> GoldenOutcome:
        return GoldenOutcome(
            file_digest=digest,
            addresses=500,
            reference_f1=0.9,
            candidate_f1=0.9,
            mean_delta=0.0,
            interval=(0.0, 0.0),
        )

    assert guardrails.objections(Policy(), looked_at(ours)) == ()
    assert guardrails.objections(Policy(), None) == ()
    [objection] = guardrails.objections(Policy(), looked_at(other))
    assert objection.field == "golden.path"
    assert other in objection.message
