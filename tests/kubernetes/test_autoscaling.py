"""The real autoscaler on the tree's own objects, under a load that a stand-in tells it of."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.plane.control_plane import Cluster
from tests.kubernetes.plane.metrics_api import MetricsApi

WITHIN_S = 120.0


@pytest.fixture(scope="module")
def metrics(installed: Cluster, overlay: Path) -> Iterator[MetricsApi]:
    api = MetricsApi(installed)
    api.register()
    try:
        installed.kubectl("wait", "--for=condition=available", "apiservice/v1beta1.metrics.k8s.io")
        yield api
    finally:
        installed.kubectl("delete", "apiservice", "v1beta1.metrics.k8s.io")
        api.close()
        # What a test changed by hand would stand against the next apply.
        installed.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(overlay))


def until_replicas(cluster: Cluster, deployment: str, wanted: int) -> list[int]:
    """Wait for a number of ready pods; the numbers that were asked for on the way."""
    asked: list[int] = []
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = cluster.get("deployment", deployment)
        number = found["spec"]["replicas"]
        if asked[-1:] != [number]:
            asked.append(number)
        if number == wanted and found["status"].get("readyReplicas", 0) == wanted:
            return asked
        if time.monotonic() > deadline:
            events = cluster.kubectl("-n", "mgeo", "describe", "hpa", deployment)
            raise AssertionError(f"{deployment} went {asked}, not to {wanted}\n{events}")
        time.sleep(0.3)


def steady(cluster: Cluster, deployment: str, number: int, looks: int = 15) -> None:
    for _ in range(looks):
        assert cluster.get("deployment", deployment)["spec"]["replicas"] == number
        time.sleep(0.3)


@pytest.mark.parametrize(
    ("deployment", "part", "request_cpu"),
    [
        ("mgeo-worker", "component=worker", 2.0),
        ("mgeo-gateway-blue", "version=blue", 0.5),
    ],
)
def test_a_load_brings_ten_pods_and_its_end_takes_them_away(
    installed: Cluster, metrics: MetricsApi, deployment: str, part: str, request_cpu: float
) -> None:
    # The windows of the manifest are minutes, which unit tests hold; here they are waited for.
    quick = {"stabilizationWindowSeconds": 0}
    policies = [{"type": "Pods", "value": 4, "periodSeconds": 1}]
    behavior = {name: {**quick, "policies": policies} for name in ("scaleUp", "scaleDown")}
    change = json.dumps({"spec": {"behavior": behavior}})
    installed.kubectl("-n", "mgeo", "patch", "hpa", deployment, "--type=merge", "--patch", change)

    metrics.load[part] = 0.1 * request_cpu
    until_replicas(installed, deployment, 2)
    metrics.load[part] = 0.7 * request_cpu * 5
    until_replicas(installed, deployment, 5)
    metrics.load[part] = 50 * request_cpu
    up = until_replicas(installed, deployment, 10)
    steady(installed, deployment, 10)
    metrics.load[part] = 0.1 * request_cpu
    down = until_replicas(installed, deployment, 2)
    steady(installed, deployment, 2)

    assert max(up) == 10, "no more than it may have"
    assert min(down) == 2, "no fewer than it must have"


def test_a_colour_that_was_scaled_to_none_stays_so(installed: Cluster, metrics: MetricsApi) -> None:
    """The way back without its pods: its autoscaler does not bring them back by itself."""
    metrics.load["version=green"] = 3.0
    installed.kubectl("-n", "mgeo", "scale", "deployment/mgeo-gateway-green", "--replicas=0")
    try:
        steady(installed, "mgeo-gateway-green", 0)
    finally:
        metrics.load["version=green"] = 0.05
        installed.kubectl("-n", "mgeo", "scale", "deployment/mgeo-gateway-green", "--replicas=2")
        until_replicas(installed, "mgeo-gateway-green", 2)
