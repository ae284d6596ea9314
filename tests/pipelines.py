"""The pipelines of deploy/ci as lists of shell steps, in the order in which a server runs them.

Read from the files by what little of the servers' own rules is needed; a server's linter says
whether the rest of a file is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
        outputs: variables that it gets from what an earlier job has found, by its output's name.
        pipeline: what a pipeline is for in which it runs: change, model, switch …
        always: it runs although a step before it failed.
        by_hand: somebody has to ask for it.
        reports_from: the job whose reports folder it finds in its checkout; "" for none.
        workspace: where it runs: a job has a checkout of its own, unless the server keeps one.
    """

    job: str
    script: str
    environment: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    pipeline: str = "model"
    always: bool = False
    by_hand: bool = False
    reports_from: str = ""
    workspace: str = ""


Steps = Callable[[], list[Step]]

CANDIDATE = {"PROMOTE_VERSION": "PROMOTE_VERSION", "PROMOTE_MODEL": "PROMOTE_MODEL"}


def promotion(steps: list[Step]) -> list[Step]:
    """Those that bring a model to production; what stops a rollout stays unasked."""
    return [
        step
        for step in steps
        if step.pipeline == "model" and (not step.by_hand or step.job == "approve")
    ]


def load(name: str) -> dict[str, Any]:
    """One of the YAML files."""
    document: dict[str, Any] = yaml.safe_load((CI / name).read_text("utf-8"))
    return document


def gitlab_variables(document: Mapping[str, Any]) -> dict[str, str]:
    """The defaults of a file's variables, those with a description included."""
    return {
        name: str(value["value"] if isinstance(value, dict) else value)
        for name, value in document["variables"].items()
    }


def gitlab_steps() -> list[Step]:
    """Jobs by stage, then by place in the file; the child pipeline's in the trigger's place."""
    whole = load("gitlab-ci.yml")
    steps: list[Step] = []
    for name, job in gitlab_jobs(whole):
        if "trigger" in job:
            child = load("gitlab-promote.yml")
            passed = {**gitlab_variables(child), **gitlab_variables(whole)}
            for inner, inner_job in gitlab_jobs(child):
                made = _gitlab_job(child, inner, inner_job, passed, "model")
                # The generated file that includes the child's sets its variables.
                steps += [replace(step, outputs=CANDIDATE) for step in made]
            continue
        steps += _gitlab_job(whole, name, job, gitlab_variables(whole), _gitlab_pipeline(job))
    return steps


def gitlab_jobs(document: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The jobs of a file by stage, each with what it extends."""
    jobs = [
        (name, _extended(document, job))
        for name, job in document.items()
        if isinstance(job, dict)
        and not name.startswith(".")
        and "stage" in _extended(document, job)
    ]
    return sorted(jobs, key=lambda one: document["stages"].index(one[1]["stage"]))


def _gitlab_job(
    document: Mapping[str, Any],
    name: str,
    job: Mapping[str, Any],
    variables: Mapping[str, str],
    pipeline: str,
) -> list[Step]:
    before = job.get("before_script", document.get("default", {}).get("before_script", []))
    environment = {**variables, **{k: str(v) for k, v in job.get("variables", {}).items()}}
    by_hand = job.get("when") == "manual"
    kept = [need for need in job.get("needs", ()) if _keeps_reports(document, need)]
    step = Step(
        name,
        "\n".join([*before, *job["script"]]),
        environment,
        pipeline=pipeline,
        by_hand=by_hand,
        reports_from=kept[0] if kept else "",
    )
    after = job.get("after_script")
    return [step, *([replace(step, script="\n".join(after), always=True)] if after else [])]


def _keeps_reports(document: Mapping[str, Any], name: str) -> bool:
    artifacts = _extended(document, document[name]).get("artifacts", {})
    return "reports/" in artifacts.get("paths", ())


def _gitlab_pipeline(job: Mapping[str, Any]) -> str:
    found = re.search(r'\$PIPELINE == "([\w-]+)"', job["rules"][0]["if"])
    assert found is not None
    return found[1]


def _extended(document: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    base = document[job["extends"]] if "extends" in job else {}
    return {**base, **job}


def github_steps() -> list[Step]:
    """Every `run` step; expressions in the environment are left out, for a test fills them."""
    document = load("github-actions.yml")
    outer = literals(document["env"])
    steps: list[Step] = []
    for name, job in document["jobs"].items():
        inner = job.get("env", {})
        reports_from = ""
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/download-artifact"):
                reports_from = step["with"]["name"]
            if "run" not in step:
                continue
            steps.append(
                Step(
                    name,
                    step["run"],
                    {
                        **outer,
                        **_inputs(document, inner),
                        **literals(inner),
                        **literals(step.get("env", {})),
                    },
                    outputs=_outputs(inner),
                    pipeline=_github_pipeline(document, name),
                    always=step.get("if") == "always()",
                    reports_from=reports_from,
                )
            )
    return steps


def _github_pipeline(document: Mapping[str, Any], name: str) -> str:
    job = document["jobs"][name]
    condition = job.get("if", "")
    if found := re.search(r"inputs\.pipeline == '([\w-]+)'", condition):
        return found[1]
    if "github.event_name" in condition:
        return "change"
    needs = job["needs"]
    return _github_pipeline(document, needs if isinstance(needs, str) else needs[0])


def literals(environment: Mapping[str, Any]) -> dict[str, str]:
    """Values without an expression, and those whose expression ends in a default."""
    found: dict[str, str] = {}
    for name, value in environment.items():
        default = re.fullmatch(r"\$\{\{.* \|\| '([^']*)' \}\}", str(value))
        if default is not None:
            found[name] = default[1]
        elif "${{" not in str(value):
            found[name] = str(value)
    return found


def _inputs(document: Mapping[Any, Any], environment: Mapping[str, Any]) -> dict[str, str]:
    """What a workflow that is run by hand gets where its form is left as it is."""
    form = document[True]["workflow_dispatch"]["inputs"]  # YAML reads the key `on` as a truth
    wanted = (
        (name, re.fullmatch(r"\$\{\{ inputs\.(\w+) \}\}", str(value)))
        for name, value in environment.items()
    )
    return {name: form[found[1]].get("default", "") for name, found in wanted if found is not None}


def _outputs(environment: Mapping[str, Any]) -> dict[str, str]:
    wanted = (
        (k, re.fullmatch(r"\$\{\{ needs\.check\.outputs\.(\w+) \}\}", str(v)))
        for k, v in environment.items()
    )
    return {name: found[1] for name, found in wanted if found is not None}


def jenkins_steps() -> list[Step]:
    """Every `sh` of every stage, `judged('…')` written out as the function at the top does."""
    text = (CI / "Jenkinsfile").read_text("utf-8")
    judged = re.search(r'sh\(script: "([^"]+)", returnStatus: true\)', text)
    assert judged is not None
    body = text[text.index("pipeline {") :]
    environment = {**jenkins_parameters(), **jenkins_environment()}
    steps: list[Step] = []
    stage = pipeline = ""
    found_in = r"^( *)stage\('([\w-]+)'\)|sh '([^']+)'|judged\('([^']+)'\)|(post \{)"
    # A stage on one line has both: its name is found first, then what is in it.
    for line in body.splitlines():
        for found in re.finditer(found_in, line):
            if found[2] or found[5]:
                stage = found[2] or "post"
                if found[5] or len(found[1]) == 4:
                    pipeline = {"clean": "every", "post": "model"}.get(stage, stage)
                continue
            script = found[3] or judged[1].replace("${command}", found[4])
            steps.append(
                Step(
                    stage,
                    script,
                    environment,
                    pipeline=pipeline,
                    always=stage == "post",
                    workspace="workspace",
                )
            )
    return steps


def found_candidate(checkout: Path) -> dict[str, str]:
    """The outputs of a job that has just run: what a server would make of what it has written."""
    found: dict[str, str] = {}
    if (written := checkout / "github-output").is_file():
        for line in written.read_text("utf-8").splitlines():
            name, _, value = line.partition("=")
            found[name] = value
    if (child := checkout / "promotion.yml").is_file():
        variables = yaml.safe_load(child.read_text("utf-8")).get("variables", {})
        found |= {name: str(value) for name, value in variables.items()}
    return found


def jenkins_environment() -> dict[str, str]:
    """The literals of the `environment` section."""
    text = (CI / "Jenkinsfile").read_text("utf-8")
    return dict(re.findall(r"^    (\w+) = '([^']*)'$", text, flags=re.MULTILINE))


def jenkins_parameters() -> dict[str, str]:
    """The parameters' defaults."""
    text = (CI / "Jenkinsfile").read_text("utf-8")
    found = re.findall(r"string\(name: '(\w+)'(?:, defaultValue: '([^']*)')?", text)
    return dict(found)
