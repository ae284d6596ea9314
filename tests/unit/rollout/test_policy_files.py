"""Where a policy file is wrong: each fault with its line, all of them at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contracts.errors import UsageError
from contracts.policy import Policy
from rollout.documents import DocumentError
from rollout.guardrails import load_guardrails
from rollout.policy import load_policy, parse_policy


def faults(text: str, *overrides: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse_policy(text, "rollout.yaml", overrides)
    assert caught.value.code == "bad_policy"
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_is_the_default_policy() -> None:
    assert parse_policy("", "rollout.yaml") == Policy()
    assert parse_policy("# nothing yet\n---\n", "rollout.yaml") == Policy()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "shadow:\n  min_pair: 3\n",
            "rollout.yaml:2:3: unknown name `shadow.min_pair`; did you mean `min_pairs`?",
        ),
        (
            "gate: {}\n",
            "rollout.yaml:1:1: unknown name `gate`; did you mean `gates`?",
        ),
        (
            'shadow:\n  min_pairs: "2000"\n',
            "rollout.yaml:2:14: `shadow.min_pairs` must be a whole number, not the text '2000'",
        ),
        (
            "approval: {required: yes}",
            "rollout.yaml:1:22: `approval.required` must be true or false, not the text 'yes'",
        ),
        (
            "gates:\n  exact_match:\n    min: 1.5\n",
            "rollout.yaml:3:10: `gates.exact_match.min` must be below 1.0, not 1.5",
        ),
        (
            "canary:\n  steps:\n  - {share: 0.1, duration: 1m}\n",
            "rollout.yaml:3:5: `canary.steps[0]` lacks `min_results`",
        ),
        (
            "bake:\n  duration: 30\n",
            (
                "rollout.yaml:2:13: `bake.duration` is wrong: a duration is a text with a unit, "
                "for example 15s, 10m or 2h"
            ),
        ),
        (
            "bake:\n  duration: 0s\n",
            "rollout.yaml:2:13: `bake.duration` is wrong: it must last 1ms at least",
        ),
        (
            "aa: &shared {max: 0.1}",
            "rollout.yaml:1:5: an anchor (&shared); write values where used",
        ),
        (
            "aa: {max: !!float 0.1}",
            "rollout.yaml:1:11: a tag (tag:yaml.org,2002:float); values need none",
        ),
        (
            "aa: {max: 0.1}\nalpha: {}\naa: {max: 0.2}",
            "rollout.yaml:3:1: `aa` stands here twice; first at rollout.yaml:1:1",
        ),
        (
            "aa: {max: 0.1}\n---\naa: {max: 0.2}",
            "rollout.yaml:2:1: a second document; there must be one",
        ),
        (
            "shadow: {min_duration: 3h, max_duration: 2h}",
            (
                "rollout.yaml:1:9: `shadow` is wrong: min_duration must not be longer than "
                "max_duration"
            ),
        ),
        ("- a\n", "rollout.yaml:1:1: must be a mapping of names to values, not a list"),
    ],
)
def test_each_fault_has_its_line_and_says_what_to_write(text: str, expected: str) -> None:
    assert faults(text) == [expected]


def test_the_place_of_broken_yaml_is_told() -> None:
    assert faults("gates:\n  exact_match: {min: 0.9\n")[0].startswith("rollout.yaml:3:1: ")
    assert faults("gates:\n\texact_match: 1\n")[0].startswith("rollout.yaml:2:1: ")
    assert faults("a: \x07")[0].startswith("rollout.yaml:1:4: ")
    # What PyYAML itself stumbles over.
    assert faults('aa: {}\nb: "\\U00110000"')[0].startswith("rollout.yaml:2:")
    assert faults('b: "\\UFFFFFFFF"')[0].startswith("rollout.yaml:1:")
    assert faults(f"%YAML {'9' * 5000}.1\n---\n")[0].startswith("rollout.yaml:1:")


def test_deep_nesting_is_refused_and_no_recursion_error() -> None:
    assert "nested deeper" in faults("[" * 5000)[0]
    assert "nested deeper" in faults("{a: " * 5000)[0]


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    found = faults(
        "aa: {max: 7}\nshadow:\n  shar: 1\n  shar: 2\nbogus: 1\n", "alpha.promote=no", "x=1"
    )
    places = [fault.partition(": ")[0] for fault in found]
    assert places == [
        "rollout.yaml:1:11",
        "rollout.yaml:3:3",
        "rollout.yaml:4:3",
        "rollout.yaml:5:1",
        "--set alpha.promote=no",
        "--set x=1",
    ]


def test_numbers_are_read_as_json_reads_them() -> None:
    policy = parse_policy("shadow: {min_pairs: 2_500, max_pairs: 1_000_000}", "f")
    assert policy.shadow.min_pairs == 2500
    assert "whole number" in faults("shadow: {min_pairs: 010}")[0]
    assert "whole number" in faults("shadow: {min_pairs: 0x10}")[0]
    assert "whole number" in faults("shadow: {min_pairs: 2000.0}")[0]
    assert "number" in faults("aa: {max: .nan}")[0]


class TestOverrides:
    def test_an_element_of_the_default_steps_can_be_changed(self) -> None:
        policy = parse_policy("", "f", ["canary.steps[0].duration=30s"])
        first, second = policy.canary.steps
        assert first.duration == timedelta(seconds=30)
        assert (first.share, second) == (0.05, Policy().canary.steps[1])

    def test_a_whole_list_can_be_given(self) -> None:
        policy = parse_policy(
            "", "f", ["canary.steps=[{share: 0.2, duration: 1m, min_results: 5}]"]
        )
        assert [step.share for step in policy.canary.steps] == [0.2]

    def test_null_is_a_value(self) -> None:
        assert parse_policy("golden: {path: a}", "f", ["golden.path=null"]).golden.path is None

    @pytest.mark.parametrize(
        ("assignment", "expected"),
        [
            ("gates.exact_match.min", "write it as name=value"),
            ("gates.exact-match.min=1", "is no name of a field"),
            ("gates.exact_match.mim=0.9", "did you mean `min`?"),
            ("gates.exact_match.min=1.7", "must be below 1.0, not 1.7"),
            ("canary.steps[2].share=1", "has 2 items, counted from 0"),
            ("gates.exact_match.min.x=1", "must be a number, not a mapping"),
            ("bake.duration=", "is wrong"),
            ("shadow.share={", "this is no YAML"),
        ],
    )
    def test_an_error_names_the_option_that_it_came_from(
        self, assignment: str, expected: str
    ) -> None:
        [fault] = faults("", assignment)
        assert fault.startswith(f"--set {assignment}: ")
        assert expected in fault


class TestFiles:
    def test_a_file_that_is_not_there_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read: no such file"):
            load_policy(tmp_path / "none.yaml")

    def test_other_encodings_are_refused_with_their_place(self, tmp_path: Path) -> None:
        path = tmp_path / "rollout.yaml"
        path.write_bytes("aa: {max: 0.1}\n# 阈值\n".encode("gb18030"))
        with pytest.raises(DocumentError, match=r"rollout\.yaml:2:3: not UTF-8"):
            load_policy(path)

    def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "rollout.yaml"
        path.write_bytes(b"\xef\xbb\xbfaa:\r\n  max: 0.5\r\n")
        assert load_policy(path).aa.max == pytest.approx(0.5)

    def test_a_huge_file_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "rollout.yaml"
        path.write_bytes(b"#" * 300_000)
        with pytest.raises(DocumentError, match="larger than"):
            load_policy(path)


class TestGuardrailFiles:
    def test_they_are_read_as_strictly_as_policies(self, tmp_path: Path) -> None:
        path = tmp_path / "guardrails.yaml"
        path.write_text("gates:\n  exact_match: {mim: 0.9}\napproval: {required: false}\n")
        with pytest.raises(DocumentError) as caught:
            load_guardrails(path)
        assert caught.value.code == "bad_guardrails"
        assert [str(problem.where).rpartition("/")[2] for problem in caught.value.problems] == [
            "guardrails.yaml:2:17",
            "guardrails.yaml:3:22",
        ]

    def test_what_is_left_out_is_not_bounded(self, tmp_path: Path) -> None:
        path = tmp_path / "guardrails.yaml"
        path.write_text("alpha: {promote: 0.01}\n")
        [objection] = load_guardrails(path).objections(Policy())
        assert objection.field == "alpha.promote"
