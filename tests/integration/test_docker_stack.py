"""`mgeo up --broker docker` where there is a Docker-compatible engine to run it on."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from deploy.local.readiness import answers_now
from tests.brokers.choice import chosen_image, chosen_kind
from tests.brokers.program import Program

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(
        chosen_kind() != "testcontainers" or shutil.which("docker") is None,
        reason="needs MGEO_TEST_BROKER=testcontainers and the docker command",
    ),
]


@pytest.fixture
def docker(mgeo: Program) -> Program:
    mgeo.environment["MGEO_DOCKER_IMAGE"] = chosen_image()
    if network := os.environ.get("MGEO_TEST_CONTAINER_NETWORK"):
        mgeo.environment["MGEO_DOCKER_NETWORK"] = network
    return mgeo


def test_a_container_keeps_its_records_until_wiped(docker: Program) -> None:
    first = docker("up", "--broker", "docker", "--port", "0", "--output", "json")
    assert first.code == 0, first.err
    assert answers_now(first.json["bootstrap_servers"])
    assert docker("up", "--output", "json").json["started"] is False
    assert docker("topics", "create", "--topics-only", "--partitions", "1").code == 0

    subprocess.run(["docker", "kill", first.json["container"]], check=True, capture_output=True)
    assert docker("topics", "check").code == 6
    again = docker("up", "--broker", "docker", "--port", "0", "--output", "json")
    assert again.code == 0, again.err
    assert docker("topics", "check").code == 0

    assert docker("down").out == "The broker is down.\n"
    assert docker("down", "--wipe").code == 0
    listed = subprocess.run(
        ["docker", "volume", "ls", "--quiet"], check=True, capture_output=True, text=True
    ).stdout
    assert first.json["container"] not in listed


def test_an_image_that_is_not_to_be_had_leaves_nothing_behind(docker: Program) -> None:
    outcome = docker("up", "--broker", "docker", "--port", "0", MGEO_DOCKER_IMAGE="localhost/no:1")
    assert outcome.code == 1
    assert "`docker run` failed" in outcome.err
    assert docker("down").out == "No broker was running.\n"
