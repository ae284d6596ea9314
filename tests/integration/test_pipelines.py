"""The shell steps of the pipelines, run for real: a broker, workers, a controller, traffic, and a
hub with a model that the store has not.

Durations and sizes are made small with PROMOTE_SET, as docs/guides/ci.md says for test systems.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumer.store.naming import derive_version
from consumer.store.source import HubModel
from consumer.store.starters import StarterReleases
from contracts.settings import KafkaSettings
from deploy.demo.candidates import copy_of
from deploy.demo.processes import Services, environment_of, until_ready
from deploy.demo.traffic import Traffic
from deploy.local.ports import free_port
from tests.brokers.admin import TopicFactory
from tests.hub.publishing import TAGGING
from tests.hub.stand_in import StandInHub, commit_of
from tests.pipelines import (
    CI,
    Step,
    Steps,
    found_candidate,
    github_steps,
    gitlab_steps,
    jenkins_steps,
    promotion,
)
from tests.streams.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1200)]

ROOT = CI.parents[1]
STABLE = "mgeo-starter-v1-20260915"
REVISION = "v1.0.0"
SMALL = (
    "shadow.min_duration=1s shadow.min_pairs=100 aa.max=0.1 "
    "gates.error_rate.max_increase=0.1 gates.latency_p99.max_ratio=20 "
    "gates.latency_p99.min_batches=100 gates.latency_ratio.min_batches=20 "
    "gates.latency_ratio.max_ratio=20 "
    "canary.steps[0].duration=1s canary.steps[0].min_results=10 "
    "canary.steps[1].duration=1s canary.steps[1].min_results=20 "
    "bake.duration=1s bake.min_results=50"
)


@dataclass
class System:
    """Everything that a pipeline talks to, and folders to run it in."""

    folder: Path
    environment: dict[str, str]
    found: dict[str, str] = field(default_factory=dict)

    def checkout_of(self, step: Step) -> Path:
        """A checkout of the job's own, with the reports that its server hands on to it."""
        place = self.folder / "checkouts" / (step.workspace or step.job)
        if not place.exists():
            place.mkdir(parents=True)
            for name in ("deploy", "constraints.txt"):
                (place / name).symlink_to(ROOT / name)
            if step.reports_from:
                earlier = self.folder / "checkouts" / step.reports_from / "reports"
                shutil.copytree(earlier, place / "reports")
        return place

    def start(self, step: Step) -> subprocess.Popen[str]:
        checkout = self.checkout_of(step)
        outputs = {name: self.found.get(output, "") for name, output in step.outputs.items()}
        # `bash -e` is how GitHub, GitLab and Jenkins run a step.
        return subprocess.Popen(
            ["bash", "-e", "-c", step.script],
            cwd=checkout,
            env={
                **step.environment,
                **self.environment,
                **outputs,
                "GITHUB_OUTPUT": str(checkout / "github-output"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    async def run(self, step: Step) -> tuple[int, str]:
        process = self.start(step)
        printed, _ = await asyncio.to_thread(process.communicate, timeout=600)
        self.found |= found_candidate(self.checkout_of(step))
        return process.returncode, printed

    async def has_begun(self) -> bool:
        return (await self.status())["rollout_id"] is not None

    async def status(self) -> dict[str, Any]:
        _, printed = await self.run(Step("status", "mgeo rollout status --output json 2>/dev/null"))
        document: dict[str, Any] = json.loads(printed)
        return document


@asynccontextmanager
async def running_system(stream: KafkaSettings, folder: Path) -> AsyncIterator[System]:
    program = folder / "bin" / "mgeo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m deploy.cli "$@"\n')
    program.chmod(0o755)
    base = environment_of(stream.kafka_bootstrap_servers, folder / "store", STABLE)
    environment = {
        **base,
        "MGEO_TOPIC_PREFIX": stream.topic_prefix,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PROMOTE_HUB": TAGGING,
        # What a test decides in the place of the files. The mgeo above is the image's: a checkout
        # here has nothing to install.
        "PROMOTE_INSTALL": "mgeo-stream[worker]",
        "PROMOTE_SET": SMALL,
        "PROMOTE_WAIT": "8m",
        "PROMOTE_TRIES": "1",
        "PROMOTE_KEY": str(folder / "ci.pem"),
        # What GitHub's `secrets` would be, and a page for its summaries.
        "APPROVAL_KEY": "",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    system = System(folder, environment)
    keyring = folder / "keyring.yaml"
    made = Step("keys", f"mgeo rollout keygen ci --out {folder}/ci.pem >{keyring}")
    assert (await system.run(made))[0] == 0
    environment["APPROVAL_KEY"] = (folder / "ci.pem").read_text()
    release = StarterReleases().directory_of(STABLE)
    copy_of(release, folder / "hub" / TAGGING / REVISION)
    with StandInHub(folder / "hub") as hub, Services(environment, folder) as services:
        environment["MODELSCOPE_ENDPOINT"] = hub.endpoint
        port = free_port()
        # Short durations on a busy machine: a step is held for long before it is given up.
        patient = {"MGEO_CUT_INTERVAL_MS": "500", "MGEO_HOLD_TIMES": "600"}
        controller = ("rollout", "controller", "--keyring", str(keyring), "--port", "0")
        services.start("controller", *controller, **patient)
        # The latency gates count device batches: small ones come faster.
        small = {"MGEO_TOKEN_BUDGET": "64"}
        services.start("shadow worker", "worker", "--role", "shadow", "--port", "0", **small)
        services.start("stable worker", "worker", "--port", str(port))
        await until_ready(services, port, what="stable worker", timeout_s=180)
        async with Traffic(stream, records_per_s=30, addresses_per_record=2):
            yield system
        services.stop()


@pytest.fixture
async def system(
    kafka: KafkaSettings, topics: TopicFactory, tmp_path: Path
) -> AsyncIterator[System]:
    names = topics.create_standard(2)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    async with running_system(stream, tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(gitlab_steps, marks=pytest.mark.long),
        pytest.param(github_steps, marks=pytest.mark.fault),
        pytest.param(jenkins_steps, marks=pytest.mark.fault),
    ],
)
async def test_a_pipeline_promotes_what_is_new_on_the_hub_and_takes_it_back(
    system: System, steps: Steps
) -> None:
    await run_all(system, promotion(steps()))

    model = HubModel(TAGGING, commit_of(REVISION))
    candidate = derive_version(model, datetime.now(UTC).date())
    status = await system.status()
    assert status["phase"] == "PROMOTED"
    assert status["serving"]["stable"]["version"].startswith(candidate.rpartition("-")[0])
    for folder in ("compare", "shadow", "promote"):
        found = list(system.folder.glob(f"checkouts/*/reports/{folder}/*"))
        if folder == "compare":
            assert not found, "without labelled addresses nothing is compared"
            continue
        assert {".xml", ".html"} <= {file.suffix for file in found}, "for the server, for people"

    await run_all(system, [step for step in steps() if step.pipeline == "rollback"])
    status = await system.status()
    assert status["phase"] == "ROLLED_BACK"
    assert status["serving"]["stable"]["version"] == STABLE

    check = Step("again", "deploy/ci/promote.sh check", {"PROMOTE_CHILD": "promotion.yml"})
    code, printed = await system.run(check)
    assert (code, "Nothing is new" in printed) == (0, True), printed
    assert not (system.checkout_of(check) / "reports" / "candidate").exists()


@pytest.mark.fault
@pytest.mark.skipif(
    shutil.which("gitlab-ci-local") is None,
    reason="gitlab-ci-local is not on PATH (npm install --global gitlab-ci-local@4.61.1)",
)
async def test_gitlab_promotes_by_its_own_rules_needs_and_artifacts(system: System) -> None:
    """A program runs the whole file, the generated child pipeline included, as GitLab would."""
    repository = gitlab_repository(system.folder / "repository")

    code, printed = await gitlab_pipeline(system, repository, manual="approve")
    assert code == 0, printed
    status = await system.status()
    assert status["phase"] == "PROMOTED", printed
    assert status["serving"]["stable"]["version"] != STABLE

    code, printed = await gitlab_pipeline(system, repository)
    assert code == 0, printed
    assert "The store has the newest models already." in printed
    assert "promote.sh add" not in printed


def gitlab_repository(folder: Path) -> Path:
    """What a runner would check out; only what git knows gets into a job.

    Without the ``after_script``, which GitLab runs in the job's own folder: gitlab-ci-local checks
    out anew for it, and with that the job's reports are gone before they become its artifacts.
    """
    shutil.copytree(CI, folder / "deploy" / "ci")
    child = folder / "deploy" / "ci" / "gitlab-promote.yml"
    whole = child.read_text()
    child.write_text(whole.replace("  after_script:\n    - deploy/ci/promote.sh comment\n", ""))
    assert child.read_text() != whole
    shutil.copy(ROOT / "constraints.txt", folder)
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("remote", "add", "origin", "https://gitlab.example.org/acme/mgeo.git"),
        ("add", "--all"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=all"),
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


async def gitlab_pipeline(
    system: System, repository: Path, manual: str | None = None
) -> tuple[int, str]:
    """Run the scheduled pipeline, one checkout a job."""
    # What a user of GitLab would set in the project; PROMOTE_HUB is the file's default.
    names = ("PROMOTE_INSTALL", "PROMOTE_SET", "PROMOTE_WAIT", "PROMOTE_KEY")
    settings = system.folder / ".gitlab-ci-local" / "variables.yml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps({"global": {one: system.environment[one] for one in names}}))
    process = await asyncio.create_subprocess_exec(
        "gitlab-ci-local",
        "--file=deploy/ci/gitlab-ci.yml",
        "--force-shell-executor",
        "--shell-isolation",
        f"--home={system.folder}",
        *([] if manual is None else [f"--manual={manual}"]),
        "--variable=PIPELINE=model",
        cwd=repository,
        env=system.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def run_all(system: System, steps: list[Step]) -> None:
    for step in steps:
        code, printed = await system.run(step)
        assert code == 0, f"{step.job}: {printed}"


@pytest.mark.fault
async def test_a_cancelled_job_leaves_the_rollout_running_and_its_repeat_attaches(
    system: System,
) -> None:
    def step(script: str) -> Step:
        return Step("job", script)

    await run_all(system, [step("deploy/ci/promote.sh check"), step("deploy/ci/promote.sh add")])
    shadow = step("exec deploy/ci/promote.sh shadow")
    first = system.start(shadow)
    await eventually(system.has_begun, "the rollout has begun", timeout_s=120)
    first.send_signal(signal.SIGTERM)
    await asyncio.to_thread(first.communicate, timeout=30)
    rollout_id = (await system.status())["rollout_id"]

    assert first.returncode == 124
    await run_all(system, [shadow, shadow])
    noted = system.checkout_of(shadow) / "reports" / "rollout-id"
    assert noted.read_text().strip() == rollout_id
    promote = step("deploy/ci/promote.sh promote")
    await run_all(system, [step("deploy/ci/promote.sh approve"), promote, promote])
