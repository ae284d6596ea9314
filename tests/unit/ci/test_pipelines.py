"""The pipelines of deploy/ci keep their schemas, and all three take the same road."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from consumer.settings import ParserSettings
from contracts.policy import Policy
from tests.pipelines import (
    CI,
    Steps,
    github_steps,
    gitlab_jobs,
    gitlab_steps,
    gitlab_variables,
    jenkins_environment,
    jenkins_parameters,
    jenkins_steps,
    literals,
    load,
    promotion,
)

ROAD = ["install", "check", "add", "verify", "compare", "shadow", "approve", "promote"]
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"
SERVERS = [gitlab_steps, github_steps, jenkins_steps]


def run(*command: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def beside_python(program: str) -> str:
    return str(Path(sys.executable).parent / program)


def test_the_shell_scripts_are_clean_by_shellcheck() -> None:
    run(beside_python("shellcheck"), *map(str, CI.glob("*.sh")))


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("gitlab-ci", "gitlab-ci.yml"),
        ("gitlab-ci", "gitlab-promote.yml"),
        ("github-workflows", "github-actions.yml"),
    ],
)
def test_a_pipeline_is_valid_by_its_makers_schema(schema: str, file: str) -> None:
    checker = beside_python("check-jsonschema")
    run(checker, "--builtin-schema", f"vendor.{schema}", str(CI / file))


def test_the_workflow_is_clean_by_actionlint() -> None:
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip(f"actionlint is not on PATH: go install {ACTIONLINT}")
    run(actionlint, str(CI / "github-actions.yml"))


def test_the_workflow_puts_no_expression_into_a_shell() -> None:
    """An input that is pasted into a script could run anything: inputs go through variables."""
    assert not [step.script for step in github_steps() if "${{" in step.script]


@pytest.mark.parametrize("steps", SERVERS)
def test_every_pipeline_takes_the_same_road(steps: Steps) -> None:
    named = [
        name
        for step in promotion(steps())
        for name in re.findall(r"promote\.sh (\w+)", step.script)
    ]
    assert [name for name in dict.fromkeys(named) if name in ROAD] == ROAD


@pytest.mark.parametrize("steps", SERVERS)
@pytest.mark.parametrize(
    ("pipeline", "commands"),
    [
        ("change", ["make lint", "make test", "deploy/ci/image.sh", "deploy/ci/bench.sh"]),
        ("switch", ["deploy/ci/promote.sh install", "deploy/ci/promote.sh switch"]),
        ("switch-back", ["deploy/ci/promote.sh install", "deploy/ci/promote.sh switch-back"]),
        ("abort", ["deploy/ci/promote.sh install", "deploy/ci/promote.sh abort"]),
        ("rollback", ["deploy/ci/promote.sh install", "deploy/ci/promote.sh rollback"]),
    ],
)
def test_every_server_offers_the_same_pipelines(
    steps: Steps, pipeline: str, commands: list[str]
) -> None:
    scripts = "\n".join(step.script for step in steps() if step.pipeline == pipeline)
    places = [scripts.find(command) for command in commands]
    assert -1 not in places, commands
    assert places == sorted(places)


@pytest.mark.parametrize("steps", SERVERS)
@pytest.mark.parametrize("pipeline", ["abort", "rollback"])
def test_what_runs_can_be_ended_by_a_pipeline_of_its_own(steps: Steps, pipeline: str) -> None:
    """A job within the model pipeline cannot be pressed while its shadow runs or has failed."""
    [asked] = [
        step
        for step in steps()
        if step.pipeline == pipeline and f"promote.sh {pipeline}" in step.script
    ]
    assert asked.environment["PROMOTE_ROLLOUT"] == "current"
    assert not asked.reports_from, "it needs no earlier job"
    assert not asked.by_hand, "the pipeline was asked for: its job need not be"


@pytest.mark.parametrize("steps", SERVERS)
def test_nothing_of_a_promotion_happens_in_another_pipeline(steps: Steps) -> None:
    others = [step for step in steps() if step.pipeline not in ("model", "abort", "rollback")]
    named = {name for step in others for name in re.findall(r"promote\.sh ([\w-]+)", step.script)}
    assert named <= {"install", "comment", "switch", "switch-back"}


@pytest.mark.parametrize("steps", SERVERS)
def test_no_pipeline_calls_an_mgeo_past_the_script(steps: Steps) -> None:
    """Only the script knows whether it is the machine's or the one that it has installed."""
    lines = [line for step in steps() for line in step.script.splitlines()]
    assert not [line for line in lines if line.split()[0] == "mgeo"]


def test_where_nothing_answers_every_job_is_tried_again() -> None:
    for name in ("gitlab-ci.yml", "gitlab-promote.yml"):
        document = load(name)
        usual = document.get("default", {}).get("retry", {})
        for job_name, job in gitlab_jobs(document):
            if any("promote.sh" in line for line in job.get("script", ())):
                retry = job.get("retry", usual)
                assert 6 in retry.get("exit_codes", ()), f"{name}: {job_name}"
                assert retry["max"] == 2
    # These two repeat nothing by themselves: the script does.
    assert int(load("github-actions.yml")["env"]["PROMOTE_TRIES"]) > 1
    assert int(jenkins_environment()["PROMOTE_TRIES"]) > 1


def test_only_images_of_the_main_branch_are_pushed() -> None:
    """Others are not reviewed: they get no registry's password, and nobody runs their images."""
    push, build = load("gitlab-ci.yml")["images"]["rules"]
    assert push["variables"] == {"IMAGE_VERB": "push"}
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in push["if"]
    assert build["variables"] == {"IMAGE_VERB": "build"}

    workflow = load("github-actions.yml")
    assert workflow[True]["push"] == {"branches": ["main"]}
    verb = workflow["jobs"]["images"]["env"]["IMAGE_VERB"]
    assert verb == "${{ github.event_name == 'push' && 'push' || 'build' }}"

    jenkins = (CI / "Jenkinsfile").read_text("utf-8")
    guarded = re.search(
        r"if \(env\.BRANCH_NAME == null \|\| env\.BRANCH_NAME == 'main'\) \{\s+"
        r"withCredentials\(\[usernamePassword\(credentialsId: 'mgeo-registry',[^]]*\]\) \{\s+"
        r"sh 'deploy/ci/image\.sh push'\s+\}\s+\} else \{\s+sh 'deploy/ci/image\.sh build'",
        jenkins,
    )
    assert guarded is not None
    assert jenkins.count("image.sh push") == jenkins.count("mgeo-registry") == 1


def test_of_the_jobs_of_the_jenkinsfile_one_has_the_timer() -> None:
    """In another it would make the way back wait behind a shadow, or run in every branch."""
    jenkins = (CI / "Jenkinsfile").read_text("utf-8")
    timer = r"triggers \{ cron\(env\.JOB_BASE_NAME == '([\w-]+)' \? '[^']+' : ''\) \}"
    [job] = re.findall(timer, jenkins)
    assert len(re.findall(r"cron\(|pollSCM\(", jenkins)) == 1
    assert f"`{job}`" in (CI.parents[1] / "docs" / "guides" / "ci.md").read_text("utf-8")


def test_jenkins_waits_for_a_person_as_long_as_the_policy_does() -> None:
    """Without an end it would hold its job for ever, with a decision that is not valid any more."""
    jenkins = (CI / "Jenkinsfile").read_text("utf-8")
    stage = jenkins[jenkins.index("stage('approve')") : jenkins.index("stage('promote')")]
    before_input, _, _ = stage.partition("input {")
    found = re.search(r"options \{ timeout\(time: (\d+), unit: 'HOURS'\) \}", before_input)
    assert found is not None
    assert timedelta(hours=int(found[1])) == Policy().approval.valid_for


@pytest.mark.parametrize(
    "variables",
    [
        gitlab_variables(load("gitlab-ci.yml")),
        literals(load("github-actions.yml")["env"]),
        jenkins_parameters(),
    ],
    ids=["gitlab", "github", "jenkins"],
)
def test_thresholds_device_budget_and_length_are_variables_with_the_defaults_of_the_code(
    variables: dict[str, str],
) -> None:
    defaults = {name: field.default for name, field in ParserSettings.model_fields.items()}
    assert variables["MGEO_DEVICE"] == defaults["device"]
    assert int(variables["MGEO_TOKEN_BUDGET"]) == defaults["token_budget"]
    assert int(variables["MGEO_SEQUENCE_LENGTH"]) == defaults["sequence_length"]
    assert variables.get("PROMOTE_SET", "") == "", "by default the policy is not changed"
    for script, name in (
        ("bench.sh", "BENCH_MAX_REGRESSION"),
        ("promote.sh", "PROMOTE_MIN_RIGHT"),
    ):
        assert f"${{{name}:-{variables[name]}}}" in (CI / script).read_text("utf-8")


def test_the_child_pipeline_of_a_candidate_is_there() -> None:
    """What promote.sh writes names a file, and the whole pipeline starts just that."""
    script = (CI / "promote.sh").read_text("utf-8")
    [child] = re.findall(r"PROMOTE_PIPELINE:-deploy/ci/([\w.-]+)", script)
    assert (CI / child).is_file()
    whole = load("gitlab-ci.yml")
    job = whole["promotion"]["trigger"]["include"][0]
    assert whole[job["job"]]["variables"]["PROMOTE_CHILD"] == job["artifact"]
    assert job["artifact"] in whole[job["job"]]["artifacts"]["paths"]
    passed_to_child = whole["variables"].keys()
    assert not passed_to_child & {"PROMOTE_VERSION", "PROMOTE_MODEL", "PROMOTE_ROLLOUT"}, (
        "a trigger's variables overrule the child's own"
    )


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
