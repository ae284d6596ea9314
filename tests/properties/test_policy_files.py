"""Policy files: what is written is read back, and what cannot be used is refused with a place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import UsageError
from contracts.policy import Policy
from rollout.policy import changed_fields, dump_policy, parse_policy, policy_digest
from rollout.policy.files import leaves
from tests.properties.policies import policies


@given(policies)
def test_a_policy_written_to_a_file_is_read_back_equal(policy: Policy) -> None:
    text = dump_policy(policy)
    back = parse_policy(text, "rollout.yaml")
    assert back == policy
    assert policy_digest(back) == policy_digest(policy)


@given(policies)
def test_what_differs_from_the_defaults_is_all_that_a_file_has_to_say(policy: Policy) -> None:
    changed = changed_fields(policy)
    document = policy.model_dump(mode="json")
    assert {name for name, _ in leaves(document)} >= set(changed)
    rebuilt = Policy().model_dump(mode="json")
    for name, (value, _) in changed.items():
        *sections, last = name.split(".")
        section = rebuilt
        for part in sections:
            section = section[part]
        section[last] = value
    assert Policy.model_validate(rebuilt) == policy


def refusal(text: str, *overrides: str) -> str | None:
    """What is said against a policy; None where it is taken."""
    try:
        parse_policy(text, "rollout.yaml", overrides)
    except UsageError as error:
        return f"{error.code}: {error}"
    return None


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_refused_with_a_place(text: str) -> None:
    said = refusal(text)
    assert said is None or (said.startswith("bad_policy: ") and "rollout.yaml:" in said)


_YAML = st.recursive(
    st.sampled_from(["1", "0.5", "yes", "null", "~", "10m", "[]", "{}", "&a x", "*a", "!!int 1"]),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(["shadow", "share", "gates", "min", "steps", "<<", "?"]), inner),
        max_size=4,
    ).map(lambda pairs: "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"),
    max_leaves=12,
)


@given(_YAML)
def test_any_tree_is_a_policy_or_refused_with_a_place(text: str) -> None:
    said = refusal(text)
    assert said is None or "rollout.yaml:" in said


@given(st.text(max_size=60))
def test_any_override_is_taken_or_refused_by_its_name(text: str) -> None:
    said = refusal("", text)
    assert said is None or (said.startswith("bad_policy: ") and f"--set {text}" in said)


def test_each_scalar_override_is_the_same_as_writing_it_in_the_file() -> None:
    for name, value in leaves(Policy().model_dump(mode="json")):
        if value is None or isinstance(value, list):
            continue
        written = str(value).lower() if isinstance(value, bool) else str(value)
        section, _, rest = name.partition(".")
        text = written
        for part in reversed(rest.split(".")):
            text = f"{{{part}: {text}}}"
        assert parse_policy(f"{section}: {text}", "f") == parse_policy(
            "", "f", [f"{name}={written}"]
        )


def test_an_override_beats_the_file_and_a_later_one_an_earlier() -> None:
    policy = parse_policy(
        "gates: {exact_match: {min: 0.9}}",
        "f",
        ["gates.exact_match.min=0.91", "gates.exact_match.min=0.92"],
    )
    assert policy.gates.exact_match.min == pytest.approx(0.92)
