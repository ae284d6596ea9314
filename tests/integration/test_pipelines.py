"""The shell steps of the CI templates, run for real: a broker, workers, a controller, traffic.

Durations and sizes are made small with PROMOTE_SET, as docs/guides/ci.md says for test systems.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.settings import KafkaSettings
from deploy.demo.candidates import copy_of
from deploy.demo.processes import Services, environment_of, until_ready
from deploy.demo.traffic import Traffic
from deploy.local.ports import free_port
from tests.brokers.admin import TopicFactory
from tests.pipelines import CI, Step, github_steps, gitlab_steps, jenkins_steps
from tests.streams.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1200)]

ROOT = CI.parents[1]
STABLE = "mgeo-starter-v1-20260915"
CANDIDATE = "mgeo-starter-again-20261101"
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
    """Everything that a pipeline talks to, and a checkout to run it in."""

    checkout: Path
    environment: dict[str, str]

    def start(self, step: Step) -> subprocess.Popen[str]:
        # `bash -e` is how GitHub, GitLab and Jenkins run a step.
        return subprocess.Popen(
            ["bash", "-e", "-c", step.script],
            cwd=self.checkout,
            env={**self.environment, **step.environment, **self.fixed},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def fixed(self) -> dict[str, str]:
        """What a test decides in the place of the files."""
        return {"PROMOTE_SET": SMALL, "PROMOTE_WAIT": "8m", "PROMOTE_TRIES": "1"}

    async def run(self, step: Step) -> tuple[int, str]:
        process = self.start(step)
        printed, _ = await asyncio.to_thread(process.communicate, timeout=600)
        return process.returncode, printed

    async def has_begun(self) -> bool:
        return (await self.status())["rollout_id"] is not None

    async def status(self) -> dict[str, object]:
        _, printed = await self.run(Step("", "mgeo rollout status --output json 2>/dev/null"))
        document: dict[str, object] = json.loads(printed)
        return document


@asynccontextmanager
async def running_system(stream: KafkaSettings, folder: Path) -> AsyncIterator[System]:
    checkout, program = folder / "checkout", folder / "bin" / "mgeo"
    checkout.mkdir()
    (checkout / "deploy").symlink_to(ROOT / "deploy")
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m deploy.cli "$@"\n')
    program.chmod(0o755)
    base = environment_of(stream.kafka_bootstrap_servers, folder / "store", STABLE)
    environment = {
        **base,
        "MGEO_TOPIC_PREFIX": stream.topic_prefix,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PROMOTE_VERSION": CANDIDATE,
        "PROMOTE_MODEL": str(copy_of(_release(), folder / "candidate")),
        "PROMOTE_KEY": str(folder / "ci.pem"),
        # What GitHub's `secrets` would be, and a page for its summaries.
        "APPROVAL_KEY": "",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    system = System(checkout, environment)
    keyring = folder / "keyring.yaml"
    made = Step("", f"mgeo rollout keygen ci --out {folder}/ci.pem >{keyring}")
    assert (await system.run(made))[0] == 0
    environment["APPROVAL_KEY"] = (folder / "ci.pem").read_text()
    with Services(environment, folder) as services:
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


def _release() -> Path:
    from consumer.store.starters import RELEASES

    return RELEASES / STABLE


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
        gitlab_steps,
        pytest.param(github_steps, marks=pytest.mark.fault),
        pytest.param(jenkins_steps, marks=pytest.mark.fault),
    ],
)
async def test_a_pipeline_promotes_a_candidate(
    system: System, steps: Callable[[], list[Step]]
) -> None:
    for step in steps():
        # The manual jobs that stop a rollout stay unasked.
        if step.by_hand and step.job != "approve":
            continue
        code, printed = await system.run(step)
        assert code == 0, f"{step.job}: {printed}"

    status = await system.status()
    assert status["phase"] == "PROMOTED"
    serving = status["serving"]
    assert isinstance(serving, dict)
    assert serving["stable"]["version"] == CANDIDATE
    reports = system.checkout / "reports"
    for folder in ("shadow", "promote"):
        assert list((reports / folder).glob("*.xml")), "JUnit for the CI server"
        assert list((reports / folder).glob("*.html")), "a page for people"


@pytest.mark.fault
async def test_a_cancelled_job_leaves_the_rollout_running_and_its_repeat_attaches(
    system: System,
) -> None:
    assert (await system.run(Step("add", "deploy/ci/promote.sh add")))[0] == 0
    shadow = Step("shadow", "exec deploy/ci/promote.sh shadow")
    first = system.start(shadow)
    await eventually(system.has_begun, "the rollout has begun", timeout_s=120)
    first.send_signal(signal.SIGTERM)
    await asyncio.to_thread(first.communicate, timeout=30)
    rollout_id = (await system.status())["rollout_id"]

    assert first.returncode == 124
    assert (await system.run(shadow))[0] == 0
    assert (await system.run(shadow))[0] == 0
    assert (system.checkout / "reports" / "rollout-id").read_text().strip() == rollout_id
    assert (await system.run(Step("approve", "deploy/ci/promote.sh approve")))[0] == 0
    promote = Step("promote", "deploy/ci/promote.sh promote")
    assert (await system.run(promote))[0] == 0
    assert (await system.run(promote))[0] == 0
