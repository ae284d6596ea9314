"""The pipelines of deploy/ci as lists of shell steps, in the order in which a server runs them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CI = Path(__file__).resolve().parents[1] / "deploy" / "ci"


@dataclass(frozen=True)
class Step:
    """One shell script of a pipeline.

    Attributes:
        job: the job or stage that it belongs to.
        script: what a shell is given.
        environment: variables that the pipeline's file sets for it.
        always: it runs although a step before it failed.
        by_hand: somebody has to ask for it.
    """

    job: str
    script: str
    environment: Mapping[str, str] = field(default_factory=dict)
    always: bool = False
    by_hand: bool = False


def gitlab_steps() -> list[Step]:
    """Jobs by stage, then by their place in the file, with the default `before_script`."""
    document = yaml.safe_load((CI / "gitlab-ci.yml").read_text("utf-8"))
    variables = {name: str(value) for name, value in document["variables"].items()}
    jobs = {
        name: _extended(document, job)
        for name, job in document.items()
        if isinstance(job, dict) and ("script" in job or "extends" in job)
    }
    steps: list[Step] = []
    for name, job in sorted(
        jobs.items(), key=lambda one: document["stages"].index(one[1]["stage"])
    ):
        by_hand = job.get("when") == "manual"
        before = document["default"]["before_script"]
        steps.append(Step(name, "\n".join([*before, *job["script"]]), variables, by_hand=by_hand))
        if after := job.get("after_script"):
            steps.append(Step(name, "\n".join(after), variables, always=True, by_hand=by_hand))
    return steps


def _extended(document: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    base = document[job["extends"]] if "extends" in job else {}
    return {**base, **job}


def github_steps() -> list[Step]:
    """Every `run` step; expressions in the environment become empty, for a test fills them."""
    document = yaml.safe_load((CI / "github-actions.yml").read_text("utf-8"))
    outer = _literal(document["env"])
    return [
        Step(
            name,
            step["run"],
            {**outer, **_literal(job.get("env", {})), **_literal(step.get("env", {}))},
            always=step.get("if") == "always()",
        )
        for name, job in document["jobs"].items()
        for step in job["steps"]
        if "run" in step
    ]


def _literal(environment: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in environment.items() if "${{" not in str(value)}


def jenkins_steps() -> list[Step]:
    """Every `sh` of every stage, `judged('…')` written out as the function at the top does."""
    text = (CI / "Jenkinsfile").read_text("utf-8")
    judged = re.search(r'sh\(script: "([^"]+)", returnStatus: true\)', text)
    assert judged is not None
    body = text[text.index("pipeline {") :]
    environment = dict(re.findall(r"^    (\w+) = '([^']*)'$", body, flags=re.MULTILINE))
    steps: list[Step] = []
    stage = ""
    for found in re.finditer(r"stage\('(\w+)'\)|sh '([^']+)'|judged\('(\w+)'\)|(post \{)", body):
        if found[1] or found[4]:
            stage = found[1] or "post"
            continue
        script = found[2] or judged[1].replace("${step}", found[3])
        steps.append(Step(stage, script, environment, always=stage == "post"))
    return steps
