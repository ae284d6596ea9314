"""The images, built and run: as nobody, on a root file system that cannot be written."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import KafkaSettings
from deploy.local import LocalBroker
from deploy.local.ports import free_port
from tests.hub.publishing import TAGGING, publish_tiny
from tests.hub.stand_in import StandInHub
from tests.images.conftest import LABELS, ROOT, Build, Start
from tests.images.engine import READ_ONLY, Container, Engine
from tests.unit.image.dockerfile import copied_layers, stages

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

STAGES = stages((ROOT / "Dockerfile").read_text("utf-8"))
START_PERIOD_S = 61
ADDRESS = "上海市浦东新区张江高科技园区"
NO_WORKERS = (503, "no_workers")


@pytest.fixture(scope="module")
def kafka(local_settings: Any) -> Any:
    """A broker of these tests' own: the containers share this machine's network."""
    with LocalBroker(local_settings) as broker:
        yield KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)


def reaching(kafka: KafkaSettings, **settings: object) -> dict[str, str]:
    given = {"MGEO_KAFKA_BOOTSTRAP_SERVERS": kafka.kafka_bootstrap_servers}
    return given | {f"MGEO_{name}": str(value) for name, value in settings.items()}


@pytest.fixture(scope="module")
def topics(engine: Engine, worker_image: str, kafka: KafkaSettings) -> KafkaSettings:
    """The topics and the first state, made by the worker's image."""
    command = ("topics", "create", "--partitions", "2", "--output", "json")
    done = engine.output(worker_image, *command, environment=reaching(kafka))
    assert done.returncode == 0, done.stderr
    assert "address.events" in json.loads(done.stdout)["created"]
    return kafka


def get(port: int, page: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def parse(port: int) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/parse",
        data=json.dumps({"address": ADDRESS}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own gateway
        found: dict[str, Any] = json.load(answer)
    return found


def asked(port: int) -> tuple[int, str]:
    """Status and code of what the gateway answers."""
    try:
        parse(port)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["code"]
    return 200, ""


@pytest.mark.parametrize("role", ["gateway", "controller", "worker"])
def test_an_image_says_what_it_is(engine: Engine, role: str, request: Any) -> None:
    image = engine.inspect(request.getfixturevalue(f"{role}_image"))
    labels = image["Config"]["Labels"]
    for name, value in LABELS.items():
        assert labels[f"org.opencontainers.image.{name.lower()}"] == value
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Entrypoint"] == ["mgeo"]


@pytest.mark.parametrize("role", ["gateway", "controller"])
def test_a_role_that_runs_no_model_has_no_torch(engine: Engine, role: str, request: Any) -> None:
    image = request.getfixturevalue(f"{role}_image")
    looking = "import importlib.util as u; print([n for n in %r if u.find_spec(n)])"
    names = ("torch", "transformers", "modelscope", "aiokafka")
    done = engine.output(
        image, "-c", looking % (names,), options=(*READ_ONLY, "--entrypoint", "python")
    )
    assert done.stdout.strip() == "['aiokafka']"


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_every_package_has_the_version_of_the_constraints(
    engine: Engine, role: str, request: Any
) -> None:
    image = request.getfixturevalue(f"{role}_image")
    listing = (
        "import importlib.metadata as m;"
        "print(*[f'{d.name}=={d.version}' for d in m.distributions()], sep='\\n')"
    )
    done = engine.output(image, "-c", listing, options=(*READ_ONLY, "--entrypoint", "python"))
    pins = _by_name(
        re.findall(r"^([^#\s]+==\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    found = _by_name(done.stdout.split())
    assert found.pop("mgeo-stream")
    # A build of PyTorch names itself after a plus sign; the version is the same.
    assert {name: version.partition("+")[0] for name, version in found.items()} == {
        name: pins[name] for name in found
    }


def _by_name(lines: list[str]) -> dict[str, str]:
    pairs = (line.split("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


@pytest.mark.parametrize("role", ["gateway", "controller", "worker"])
def test_a_release_of_ours_moves_little(engine: Engine, role: str, request: Any) -> None:
    """Prints what each layer weighs; docs/operations/image.md has the table."""
    sizes = engine.layer_bytes(request.getfixturevalue(f"{role}_image"))
    named = [one.rpartition("/")[2] for one in copied_layers(STAGES, role)]
    weights = dict(zip(reversed(named), reversed(sizes), strict=False))
    weights["base"] = sum(sizes) - sum(weights.values())
    print(f"\n{role}:", {name: f"{size / 1e6:.1f} MB" for name, size in weights.items()})
    assert weights["code"] < 60_000_000
    assert weights["code"] < sum(sizes) / 10


def test_a_container_is_nobody_and_can_write_nowhere_but_to_its_volumes(
    engine: Engine, worker_image: str
) -> None:
    trying = (
        "import os, pathlib\n"
        "print(os.getuid(), os.getgid())\n"
        "for place in ('/', '/opt/mgeo', '/var/lib/mgeo/models', '/etc', '/tmp'):\n"
        "    try: pathlib.Path(place, 'x').write_text('x'); print(place, 'written')\n"
        "    except OSError as error: print(place, type(error).__name__)\n"
    )
    done = engine.output(worker_image, "-c", trying, options=(*READ_ONLY, "--entrypoint", "python"))
    lines = done.stdout.splitlines()
    assert lines[0] == "10001 10001", done.stderr
    assert [line for line in lines if line.endswith("written")] == [
        "/tmp written"  # noqa: S108 - inside the container
    ]


def test_an_address_goes_through_three_containers_and_comes_back_parsed(
    start: Start,
    topics: KafkaSettings,
    worker_image: str,
    gateway_image: str,
    controller_image: str,
) -> None:
    ports = {role: free_port() for role in ("worker", "controller", "gateway")}
    worker = start(worker_image, environment=reaching(topics, PORT=ports["worker"]))
    controller = start(controller_image, environment=reaching(topics, PORT=ports["controller"]))
    gateway = start(gateway_image, environment=reaching(topics, GATEWAY_PORT=ports["gateway"]))
    for role, container in (("worker", worker), ("controller", controller), ("gateway", gateway)):
        ready_at = ports[role]
        container.wait_until(lambda at=ready_at: get(at, "readyz")[0] == 200, f"{role} ready")

    # A gateway without workers is ready, too: it says so, and looks again.
    gateway.wait_until(lambda: asked(ports["gateway"]) != NO_WORKERS, "there are workers")
    answer = parse(ports["gateway"])

    assert answer["district"] == "浦东新区"
    assert [one["type"] for one in answer["components"]][:2] == ["city", "district"]
    for container in (worker, controller, gateway):
        assert container.health() == "healthy"
        user = Path(f"/proc/{container.state()['Pid']}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001", user, re.MULTILINE)
        assert container.terminate() == 0, container.logs()


@pytest.mark.parametrize("role", ["worker", "controller", "gateway"])
def test_a_container_that_is_stopped_while_it_starts_is_not_killed(
    start: Start, topics: KafkaSettings, role: str, request: Any
) -> None:
    """Process 1 gets no signal that it does not ask for: it would have to be killed."""
    image = request.getfixturevalue(f"{role}_image")
    settings = reaching(topics, PORT=free_port(), GATEWAY_PORT=free_port())
    container = start(image, environment=settings)
    # 143 before the command is known to be a service, 0 from then on; 137 is a kill.
    assert container.terminate(grace_s=30) in (0, 143), container.logs()


def test_a_container_that_hangs_is_called_unhealthy(
    start: Start, topics: KafkaSettings, gateway_image: str
) -> None:
    port = free_port()
    container = start(gateway_image, environment=reaching(topics, GATEWAY_PORT=port))
    container.wait_until(lambda: get(port, "readyz")[0] == 200, "ready")
    time.sleep(START_PERIOD_S)  # failures do not count before
    assert container.health() == "healthy"
    process = int(container.state()["Pid"])
    os.kill(process, signal.SIGSTOP)
    try:
        _hangs(container)
    finally:
        os.kill(process, signal.SIGCONT)


def _hangs(container: Container) -> None:
    for _ in range(3):
        status = container.health()
    assert status == "unhealthy"


def test_the_test_image_has_all_that_its_command_wants_and_runs_tests(
    engine: Engine, tests_image: str
) -> None:
    """A choice of them: the whole command takes as long here as it does outside."""
    command = engine.inspect(tests_image)["Config"]["Cmd"]
    assert command == ["make", "test"]
    alone = (
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--network=none",
    )  # the last wins
    planned = engine.output(tests_image, *command, "--dry-run", options=alone)
    assert "-m pytest" in planned.stdout, planned.stderr
    assert "pip install" not in planned.stdout, "what is installed is taken for old"
    checked = engine.output(tests_image, "/opt/mgeo/bin/lint-imports", options=alone)
    assert "0 broken" in checked.stdout, checked.stdout + checked.stderr
    chosen = ("tests/unit/image", "tests/unit/compose", "tests/unit/ci")
    done = engine.output(tests_image, "python", "-m", "pytest", "-q", *chosen, options=alone)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    print("\ntest:", done.stdout.splitlines()[-1])


def test_a_model_can_be_baked_in_and_then_works_without_a_network(
    engine: Engine, build: Build, worker_image: str, tmp_path: Path
) -> None:
    with StandInHub(tmp_path / "hub") as hub:
        publish_tiny(hub, "v1.0.0", seed=1)
        image = build(
            "worker",
            tag="baked",
            MGEO_VERSION=f"{TAGGING}@v1.0.0",
            MODELSCOPE_ENDPOINT=hub.endpoint,
        )
        assert any(asked.file == "pytorch_model.bin" for asked in hub.asked)
    # Not every engine lets a tmpfs over a folder of the image be written by others than root.
    alone = (*READ_ONLY, "--env", "MGEO_MODEL_CACHE=/tmp/models", "--network=none")
    listed = engine.output(image, "model", "list", "--output", "json", options=alone)
    versions = [one["version"] for one in json.loads(listed.stdout)]
    assert [name for name in versions if name.startswith("mgeo-base-v100-")]
    parsed = engine.output(image, "parse", ADDRESS, "--output", "json", options=alone)
    assert parsed.returncode == 0, parsed.stderr
    assert json.loads(parsed.stdout)["status"] == "ok"
    plain = engine.output(worker_image, "model", "list", "--output", "json", options=alone)
    assert all("starter" in one["version"] for one in json.loads(plain.stdout))


def test_the_worker_for_gpus_brings_cuda_and_says_what_it_misses_without_a_gpu(
    engine: Engine, build: Build
) -> None:
    """What needs no GPU of it: that it holds CUDA, asks for a GPU, and runs without one if told."""
    image = build("worker-cuda")
    settings = dict(one.split("=", 1) for one in engine.inspect(image)["Config"]["Env"])
    assert settings["MGEO_DEVICE"] == "cuda"
    assert settings["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    python = (*READ_ONLY, "--entrypoint", "python")
    asking = "import torch; print(torch.version.cuda, torch.cuda.is_available())"
    built, there = engine.output(image, "-c", asking, options=python).stdout.split()
    assert built != "None"

    elsewhere = (*READ_ONLY, "--tmpfs", "/var/cache/mgeo:mode=1777", "--network=none")
    parse_one = ("parse", ADDRESS, "--output", "json")
    if there == "False":
        refused = engine.output(image, *parse_one, options=elsewhere)
        assert refused.returncode == 2, refused.stderr
        assert "there is no device cuda" in refused.stderr
        assert "Traceback" not in refused.stderr
    parsed = engine.output(image, *parse_one, environment={"MGEO_DEVICE": "cpu"}, options=elsewhere)
    assert parsed.returncode == 0, parsed.stderr
    assert json.loads(parsed.stdout)["status"] == "ok"
