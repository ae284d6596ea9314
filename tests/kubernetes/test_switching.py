"""`mgeo deploy` against a real API server, with real gateways and a real stream behind it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from deploy.demo.processes import Services, environment_of, is_ready
from tests.brokers.choice import Broker
from tests.kubernetes.conftest import rolled_out
from tests.kubernetes.plane.control_plane import Cluster, free_port
from tests.kubernetes.plane.service_proxy import proxying

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]


@dataclass
class Gateways:
    """A stream with a worker, and a gateway for each colour."""

    ports: dict[str, int]
    services: Services


@pytest.fixture(scope="module")
def gateways(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    folder = tmp_path_factory.mktemp("gateways")
    environment = environment_of(
        broker.bootstrap_servers, folder / "store", "mgeo-starter-v2-20261015"
    ) | {"MGEO_TOPIC_PREFIX": "switch.", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "deploy.cli", "topics", "create", "--partitions", "2"],
        env=environment,
        check=True,
        capture_output=True,
    )
    ports = {"blue": free_port(), "green": free_port()}
    worker = free_port()
    with Services(environment, folder) as services:
        services.start("worker", "worker", "--port", str(worker))
        for colour, port in ports.items():
            services.start(f"gateway {colour}", "gateway", "--port", str(port))
        deadline = time.monotonic() + 180
        while not all(is_ready(port) for port in (worker, *ports.values())):
            services.check()
            assert time.monotonic() < deadline, "the stream did not get ready"
            time.sleep(0.5)
        yield Gateways(ports, services)


@pytest.fixture
def forwarded(installed: Cluster, gateways: Gateways) -> Iterator[Cluster]:
    """The cluster, whose gateway pods lead to the real gateways; blue has the callers."""
    lead_to(installed, gateways.ports)
    change = {
        "metadata": {"annotations": {"mgeo-way-back": None, "mgeo-taken-back": None}},
        "spec": {"selector": {"version": "blue"}},
    }
    installed.kubectl(
        *("-n", "mgeo", "patch", "service", "mgeo-gateway"),
        *("--type=merge", "--patch", json.dumps(change)),
    )
    yield installed
    lead_to(installed, gateways.ports)


def lead_to(cluster: Cluster, ports: dict[str, int]) -> None:
    """Let a port-forward to a pod of a colour end at this port."""
    things = [
        {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "PortForward",
            "metadata": {"name": pod["metadata"]["name"], "namespace": "mgeo"},
            "spec": {
                "forwards": [{"ports": [8000], "target": {"address": "127.0.0.1", "port": port}}]
            },
        }
        for colour, port in ports.items()
        for pod in cluster.get("pods", "-l", f"version={colour}")["items"]
    ]
    document = {"apiVersion": "v1", "kind": "List", "items": things}
    cluster.kubectl("apply", "-f", "-", given=json.dumps(document))
    time.sleep(1)  # kwok follows these objects; nothing says when it has


async def mgeo(cluster: Cluster, *arguments: str) -> tuple[int, str, str]:
    """Run `mgeo deploy …` as a pipeline would."""
    environment = {**cluster.environment, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "deploy", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def serving(cluster: Cluster) -> str:
    selector = cluster.get("service", "mgeo-gateway")["spec"]["selector"]
    colour: str = selector["version"]
    return colour


async def test_callers_move_to_green_and_back_and_a_repeat_changes_nothing(
    forwarded: Cluster,
) -> None:
    code, out, err = await mgeo(forwarded, "switch", "--to", "green", "--output", "json")
    assert code == 0, err
    first = json.loads(out)
    assert (first["serving"], first["before"], first["changed"]) == ("green", "blue", True)
    assert [one["name"] for one in first["checks"]] == ["livez", "readyz", "parse"]
    assert serving(forwarded) == "green"
    code, out, err = await mgeo(forwarded, "status", "--output", "json")
    status = json.loads(out)
    assert (status["serving"], status["way_back"]) == ("green", "blue")

    code, out, _ = await mgeo(forwarded, "switch", "--to", "green", "--output", "json")
    assert (code, json.loads(out)["changed"]) == (0, False)

    code, out, err = await mgeo(forwarded, "switch-back", "--output", "json")
    assert code == 0, err
    assert (json.loads(out)["serving"], serving(forwarded)) == ("blue", "blue")
    code, out, _ = await mgeo(forwarded, "switch-back", "--output", "json")
    assert (code, json.loads(out)["changed"], serving(forwarded)) == (0, False, "blue")
    print(f"\nswitch {first['took_s']} s, of which turning {first['turned_s']} s")


async def test_a_colour_that_is_not_ready_gets_no_callers(forwarded: Cluster) -> None:
    for node in ("node-a", "node-b", "node-c"):
        forwarded.kubectl("cordon", node)
    try:
        forwarded.kubectl(
            *("-n", "mgeo", "set", "image", "deployment/mgeo-gateway-green"),
            "gateway=mgeo-stream/gateway:0.2.0",
        )
        code, _, err = await mgeo(forwarded, "switch", "--to", "green")
        assert code != 0
        assert "green is not ready" in err
        assert serving(forwarded) == "blue"
    finally:
        for node in ("node-a", "node-b", "node-c"):
            forwarded.kubectl("uncordon", node)
        forwarded.kubectl("-n", "mgeo", "rollout", "undo", "deployment/mgeo-gateway-green")
        rolled_out(forwarded, "mgeo-gateway-green")


async def test_a_colour_that_cannot_parse_gets_no_callers(
    forwarded: Cluster, gateways: Gateways
) -> None:
    lead_to(forwarded, {"green": free_port()})  # nobody answers there

    code, _, err = await mgeo(forwarded, "switch", "--to", "green")

    assert code != 0
    assert "smoke" in err
    assert serving(forwarded) == "blue"
    lead_to(forwarded, gateways.ports)


async def test_when_nothing_can_be_parsed_one_can_still_go_back(
    forwarded: Cluster, gateways: Gateways
) -> None:
    code, _, err = await mgeo(forwarded, "switch", "--to", "green")
    assert code == 0, err
    lead_to(forwarded, {"blue": free_port()})

    refused, _, _ = await mgeo(forwarded, "switch-back")
    code, _, err = await mgeo(forwarded, "switch-back", "--untried")

    assert refused != 0
    assert (code, serving(forwarded)) == (0, "blue"), err
    lead_to(forwarded, gateways.ports)


async def test_eight_pods_serve_and_an_autoscaler_holds_the_other_colour_at_two(
    forwarded: Cluster, gateways: Gateways, overlay: Path
) -> None:
    """The way there asks for pods first, and the way back goes as it is."""

    def scale(colour: str, pods: int) -> None:
        name = f"deployment/mgeo-gateway-{colour}"
        forwarded.kubectl("-n", "mgeo", "scale", name, f"--replicas={pods}")

    def least(pods: int) -> None:
        change = json.dumps({"spec": {"minReplicas": pods}})
        forwarded.kubectl(
            *("-n", "mgeo", "patch", "hpa", "mgeo-gateway-green", "--type=merge"),
            f"--patch={change}",
        )

    scale("blue", 8)
    try:
        rolled_out(forwarded, "mgeo-gateway-blue", at_least=8)
        code, _, err = await mgeo(forwarded, "switch", "--to", "green")
        assert code == 2
        assert "kubectl patch hpa mgeo-gateway-green" in err

        least(8)
        rolled_out(forwarded, "mgeo-gateway-green", at_least=8)
        lead_to(forwarded, gateways.ports)
        code, _, err = await mgeo(forwarded, "switch", "--to", "green")
        assert (code, serving(forwarded)) == (0, "green"), err

        scale("blue", 2)
        rolled_out(forwarded, "mgeo-gateway-blue")
        lead_to(forwarded, gateways.ports)
        code, _, err = await mgeo(forwarded, "switch-back")
        assert (code, serving(forwarded)) == (0, "blue"), err
        assert "blue has 2 pods where green had 8" in err
    finally:
        least(2)
        for colour in ("blue", "green"):
            scale(colour, 2)
            rolled_out(forwarded, f"mgeo-gateway-{colour}")
    # What was given back by hand is no conflict.
    forwarded.kubectl("apply", "--server-side", "-k", str(overlay))


async def test_of_two_that_switch_at_once_one_is_refused_or_finds_it_done(
    forwarded: Cluster,
) -> None:
    both = await asyncio.gather(*(mgeo(forwarded, "switch", "--to", "green") for _ in range(2)))

    codes = [code for code, _, _ in both]
    assert 0 in codes
    for code, _, err in both:
        assert code == 0 or "somebody else changed the Service" in err
    assert serving(forwarded) == "green"


@dataclass
class Load:
    """What callers saw."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


async def call(port: int, load: Load, stop: asyncio.Event, *, keep: bool) -> None:
    """One caller: request after request, on one connection or on a new one each time."""
    headers = {"x-mgeo-timeout-ms": "20000", **({} if keep else {"connection": "close"})}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=30, headers=headers, trust_env=False
    ) as client:
        while not stop.is_set():
            try:
                answer = await client.post("/parse", json={"address": "上海市浦东新区张江路5号"})
            except httpx.HTTPError as error:
                load.failed.append(type(error).__name__)
            else:
                load.answered += answer.status_code == 200
                if answer.status_code != 200:
                    load.failed.append(str(answer.status_code))
            await asyncio.sleep(0.02)


async def test_a_switch_and_a_switch_back_under_load_fail_no_request(
    forwarded: Cluster, gateways: Gateways
) -> None:
    load, stop = Load(), asyncio.Event()
    async with proxying(forwarded, "mgeo-gateway", gateways.ports) as proxy:
        callers = [
            asyncio.create_task(call(proxy.port, load, stop, keep=keep))
            for keep in (True, True, False, False)
        ]
        await asyncio.sleep(2)
        before = dict(proxy.connections)
        code, out, err = await mgeo(forwarded, "switch", "--to", "green", "--output", "json")
        assert code == 0, err
        there = json.loads(out)
        await asyncio.sleep(2)
        during = dict(proxy.connections)
        code, out, err = await mgeo(forwarded, "switch-back", "--output", "json")
        assert code == 0, err
        back = json.loads(out)
        await asyncio.sleep(2)
        stop.set()
        await asyncio.gather(*callers)

    blue, green = gateways.ports["blue"], gateways.ports["green"]
    assert before[blue] > 0
    assert before[green] == 0
    assert during[green] > before[green], "callers went to green"
    assert proxy.connections[blue] > during[blue], "and back to blue"
    assert not load.failed
    assert load.answered > 50
    print(
        f"\n{load.answered} requests, none failed; switch {there['took_s']} s "
        f"(turning {there['turned_s']} s), back {back['took_s']} s"
    )


async def test_without_a_cluster_the_sentence_is_clear(tmp_path: Path, installed: Cluster) -> None:
    environment = {**installed.environment, "PYTHONPATH": str(ROOT), "KUBECONFIG": os.devnull}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "deploy.cli", "deploy", "status"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 6
    assert done.stderr.startswith("Error: the cluster does not answer")
    assert len(done.stderr.splitlines()) == 2
