"""The Compose file, up: by Docker's own Compose, on Docker or on podman's socket.

Where no registry is reached, Kafka and Prometheus have stand-ins and Grafana is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import DIRECTORY, SERVICES
from deploy.image.digests import images_in
from deploy.local.ports import free_port
from deploy.monitoring.jobs import JOBS
from tests.images import docker_compose, stand_in
from tests.images.conftest import WORK, Bases, Build
from tests.images.test_images import parse
from tests.models.tiny import write_tiny_checkpoint
from tests.streams.eventually import eventually

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

TO_HAVE = ("kafka", "prometheus")
"""What can be put into the stand-in registry."""


@dataclass(frozen=True)
class Stack:
    """The Compose project of these tests."""

    command: Sequence[str]
    environment: Mapping[str, str]
    ports: Mapping[str, int]

    def __call__(
        self, *arguments: str, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command, *arguments],
            env={**os.environ, **self.environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def services(self) -> dict[str, list[dict[str, Any]]]:
        """Every container, also those that ended, by its service."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self("ps", "--all", "--format", "json").stdout.splitlines():
            one = json.loads(line)
            found.setdefault(one["Service"], []).append(one)
        return found

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask Prometheus."""
        asked = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self.ports['PROMETHEUS_PORT']}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


def compose_file(bases: Bases, cache: Path) -> Path:
    """The committed file, or one whose images this machine can have."""
    committed = DIRECTORY / "compose.yaml"
    if bases.registry is None:
        return committed
    document = yaml.safe_load(committed.read_text("utf-8"))
    print("\nGrafana cannot be pulled here and has no stand-in: it is left out")
    del document["services"]["grafana"]
    del document["volumes"]["grafana"]
    if bases.engine.program == "podman":  # its API is older than the setting; we look at health
        del document["services"]["kafka"]["healthcheck"]["start_interval"]
    copy = WORK / "compose.yaml"
    copy.write_text(yaml.safe_dump(document, sort_keys=False))
    images = {name: next(iter(images_in(document["services"][name]["image"]))) for name in TO_HAVE}
    stand_in.kafka_and_prometheus(bases.engine, WORK, images, bases.registry, cache)
    return stand_in.pinned(copy, WORK / "compose.pinned.yaml", bases.registry)


@pytest.fixture(scope="module")
def stack(bases: Bases, build: Build, local_settings: Any) -> Iterator[Stack]:
    """Everything up and waited for; everything gone afterwards, volumes too."""
    for target in ("worker", "controller", "gateway"):
        build(target)
    if bases.engine.program == "docker":
        program = ["docker", "compose"]
    elif (alone := docker_compose.program()) is not None:
        program = [str(alone)]
    else:
        pytest.skip("docker-compose is not here: python -m tests.images.docker_compose builds it")
    names = ("KAFKA_PORT", "GATEWAY_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
    ports = {name: free_port() for name in names}
    given = {name: str(port) for name, port in ports.items()}
    file = compose_file(bases, local_settings.cache_dir)
    with bases.engine.socket(WORK) as reached:
        environment = {**reached, **given, "MGEO_TAG": "test", "MGEO_PARTITIONS": "2"}
        command = [*program, "--project-name", "mgeo-test", "--project-directory", str(DIRECTORY)]
        up = Stack([*command, "--file", str(file)], environment, ports)
        try:
            up("up", "--no-build", "--wait", "--wait-timeout", "600")
            yield up
        finally:
            up("down", "--volumes", "--timeout", "40", check=False)


def test_one_command_brings_everything_up_healthy(stack: Stack) -> None:
    found = stack.services()
    (topics,) = found.pop("topics")
    assert (topics["State"], topics["ExitCode"]) == ("exited", 0)
    assert {*SERVICES.values(), *TO_HAVE} <= found.keys()
    for name, containers in found.items():
        assert [one["Health"] for one in containers] == ["healthy"], name


def test_the_gateway_answers_on_this_machine(stack: Stack) -> None:
    assert parse(stack.ports["GATEWAY_PORT"])["district"] == "浦东新区"


async def test_prometheus_scrapes_every_role_and_has_the_rules(stack: Stack) -> None:
    async def all_up() -> bool:
        found = {one["metric"]["job"]: one["value"][1] for one in stack.query("up")}
        return found == {job.name: "1" for job in JOBS}

    await eventually(all_up, "every job is scraped", timeout_s=120)
    assert stack.query("ALERTS{alertname='MgeoAlertingAlive'}")


def test_the_command_line_publishes_and_reads_results(stack: Stack) -> None:
    run = ("run", "--rm", "-T", "mgeo")
    publish = ("publish", "-", "--format", "text", "--wait", "--output", "json")
    published = stack(*run, *publish, stdin="北京市海淀区中关村大街1号\n")
    # podman 4.3 tells Compose 0 for whatever a container that is removed left with.
    assert published.stdout, published.stderr
    assert json.loads(published.stdout)["results"] == {"ok": 1}
    read = stack(*run, "results", "--output", "json")
    assert "中关村大街" in read.stdout, read.stderr
    status = stack(*run, "rollout", "status", check=False)
    assert "Traceback" not in status.stderr


def test_a_model_that_the_command_line_adds_is_there_for_the_workers(
    stack: Stack, tmp_path: Path
) -> None:
    model = write_tiny_checkpoint(tmp_path / "model", seed=3)
    given = ("run", "--rm", "-T", "-v", f"{model}:/model:ro", "mgeo")
    added = stack(*given, "model", "add", "/model", "--version", "mgeo-base-ours-20261123")
    listed = stack("exec", "-T", "worker", "mgeo", "model", "list", "--output", "json")
    versions = [one["version"] for one in json.loads(listed.stdout)]
    assert "mgeo-base-ours-20261123" in versions, added.stderr


async def test_more_workers_are_more_targets(stack: Stack) -> None:
    stack("up", "--no-build", "--detach", "--no-recreate", "--scale", "worker=2", "worker")
    await eventually(
        _counted(stack, 2), "Prometheus finds both workers by their name", timeout_s=120
    )
    stack("up", "--no-build", "--detach", "--no-recreate", "--scale", "worker=1", "worker")
    await eventually(_counted(stack, 1), "and one again", timeout_s=120)


def _counted(stack: Stack, workers: int) -> Callable[[], Any]:
    async def holds() -> bool:
        return len(stack.query("up{job='mgeo-worker'} == 1")) == workers

    return holds


def test_everything_of_ours_stops_by_itself(stack: Stack) -> None:
    stack("stop", "--timeout", "40")
    found = stack.services()
    codes = {name: [one["ExitCode"] for one in found[name]] for name in SERVICES.values()}
    assert codes == {name: [0] for name in SERVICES.values()}
