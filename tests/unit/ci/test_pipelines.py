"""The pipelines of deploy/ci keep their schemas, and all three take the same road."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from contracts.policy import Policy
from tests.pipelines import CI, Step, github_steps, gitlab_steps, jenkins_steps

ROAD = ["install", "add", "compare", "shadow", "approve", "promote"]


def run(*command: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def beside_python(program: str) -> str:
    return str(Path(sys.executable).parent / program)


def test_the_shell_script_is_clean_by_shellcheck() -> None:
    run(beside_python("shellcheck"), str(CI / "promote.sh"))


@pytest.mark.parametrize(
    ("schema", "file"),
    [("gitlab-ci", "gitlab-ci.yml"), ("github-workflows", "github-actions.yml")],
)
def test_a_pipeline_is_valid_by_its_makers_schema(schema: str, file: str) -> None:
    checker = beside_python("check-jsonschema")
    run(checker, "--builtin-schema", f"vendor.{schema}", str(CI / file))


def test_the_workflow_is_clean_by_actionlint() -> None:
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not on PATH (go install github.com/rhysd/actionlint/…)")
    run(actionlint, str(CI / "github-actions.yml"))


def test_the_workflow_puts_no_expression_into_a_shell() -> None:
    """An input that is pasted into a script could run anything: inputs go through variables."""
    assert not [step.script for step in github_steps() if "${{" in step.script]


@pytest.mark.parametrize("steps", [gitlab_steps, github_steps, jenkins_steps])
def test_every_pipeline_takes_the_same_road(steps: object) -> None:
    listed: list[Step] = steps()  # type: ignore[operator]  # one of the three above
    named = [name for step in listed for name in re.findall(r"promote\.sh (\w+)", step.script)]
    assert [name for name in dict.fromkeys(named) if name in ROAD] == ROAD


def test_the_shipped_policy_is_the_default_one_with_an_approval() -> None:
    written = yaml.safe_load((CI / "rollout.yaml").read_text("utf-8"))
    shipped = Policy.model_validate(written)

    approved = Policy().approval.model_copy(update={"required": True})
    assert shipped == Policy().model_copy(update={"approval": approved})


def test_the_shipped_policy_names_every_field() -> None:
    """So that a reader learns from one file what there is to decide."""
    written = yaml.safe_load((CI / "rollout.yaml").read_text("utf-8"))

    assert written.keys() == Policy.model_fields.keys()
    for name, section in written.items():
        assert section.keys() == type(getattr(Policy(), name)).model_fields.keys(), name
