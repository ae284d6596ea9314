"""What a real API server makes of the tree: taken strictly, rolled out, undone, applied again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.conftest import rolled_out
from tests.kubernetes.plane.control_plane import Cluster
from tests.unit.kubernetes.trees import OVERLAYS, TREE, VARIANTS, Thing, rendered

NOT_KNOWN = {"PodMonitor"}
"""Kinds of the Prometheus Operator, which is not to be had as a module."""


def strictly(cluster: Cluster, things: list[Thing]) -> str:
    """Let the server look at objects, and keep nothing."""
    text = yaml.safe_dump_all([one for one in things if one["kind"] not in NOT_KNOWN])
    return cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server"),
        *("--validate=strict", "--field-manager=tests", "-f", "-"),
        given=text,
    )


@pytest.mark.parametrize("name", [*OVERLAYS, *VARIANTS, "everything at once/topics"])
def test_the_server_takes_every_object(installed: Cluster, name: str) -> None:
    things = list(rendered(name))

    told = strictly(installed, things)

    known = [one for one in things if one["kind"] not in NOT_KNOWN]
    assert len(told.splitlines()) == len(known)


def test_the_server_refuses_a_misspelt_field(installed: Cluster) -> None:
    thing: Any = json.loads(json.dumps(rendered("cpu")[-1]))
    thing["spec"]["podSelectr"] = {}

    with pytest.raises(RuntimeError, match="podSelectr"):
        strictly(installed, [thing])


def test_the_namespace_takes_no_pod_that_may_do_more(installed: Cluster) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose", "namespace": "mgeo"},
        "spec": {"containers": [{"name": "one", "image": "busybox:1"}]},
    }

    with pytest.raises(RuntimeError, match="violates PodSecurity"):
        installed.create(pod)


def test_every_role_is_there_with_its_pods_spread(installed: Cluster) -> None:
    for role in ("worker", "controller", "gateway"):
        pods = installed.get("pods", "-l", f"app.kubernetes.io/component={role}")["items"]
        assert len(pods) >= 2
        assert len({one["spec"]["nodeName"] for one in pods}) >= 2
        for pod in pods:
            names = {volume["name"] for volume in pod["spec"]["volumes"]}
            assert not any(name.startswith("kube-api-access") for name in names)


def test_only_the_scaler_has_a_token(installed: Cluster) -> None:
    (scaler,) = installed.get("pods", "-l", "app.kubernetes.io/component=scaler")["items"]

    assert any(one["name"].startswith("kube-api-access") for one in scaler["spec"]["volumes"])


def test_the_topics_job_runs_to_its_end(installed: Cluster) -> None:
    installed.kubectl("apply", "--server-side", "-k", str(TREE / "overlays/cpu/topics"))
    installed.kubectl(
        "-n", "mgeo", "wait", "--for=condition=complete", "job/mgeo-topics", "--timeout=60s"
    )


def test_a_new_version_rolls_out_and_is_undone(installed: Cluster) -> None:
    images = "jsonpath={.items[*].spec.containers[0].image}"
    where = ("-n", "mgeo", "get", "pods", "-l", "app.kubernetes.io/component=worker")
    installed.kubectl(
        "-n", "mgeo", "set", "image", "deployment/mgeo-worker", "worker=mgeo-stream/worker:0.2.0"
    )
    rolled_out(installed, "mgeo-worker")
    during = set(installed.kubectl(*where, "-o", images).split())

    installed.kubectl("-n", "mgeo", "rollout", "undo", "deployment/mgeo-worker")
    rolled_out(installed, "mgeo-worker")

    assert "mgeo-stream/worker:0.2.0" in during
    assert set(installed.kubectl(*where, "-o", images).split()) == {"mgeo-stream/worker:0.1.0"}


def test_an_apply_leaves_alone_what_programs_decide(installed: Cluster, overlay: Path) -> None:
    """The number of workers, and which colour has the callers."""
    for name, number in (("worker", 5), ("shadow", 3)):
        installed.kubectl("-n", "mgeo", "scale", f"deployment/mgeo-{name}", f"--replicas={number}")
    turned = json.dumps({"spec": {"selector": {"version": "green"}}})
    installed.kubectl("-n", "mgeo", "patch", "service", "mgeo-gateway", "--patch", turned)
    try:
        installed.kubectl("apply", "--server-side", "-k", str(overlay))

        for name, number in (("worker", 5), ("shadow", 3)):
            assert installed.get("deployment", f"mgeo-{name}")["spec"]["replicas"] == number
        service = installed.get("service", "mgeo-gateway")
        assert service["spec"]["selector"]["version"] == "green"
        again = installed.try_kubectl("create", "-k", str(TREE / "address"))
        assert "already exists" in again.stderr
    finally:
        back = turned.replace("green", "blue")
        installed.kubectl("-n", "mgeo", "patch", "service", "mgeo-gateway", "--patch", back)


def test_a_changed_setting_starts_pods_anew(installed: Cluster, copy_of: Path) -> None:
    def map_of(deployment: str) -> str:
        pods = installed.get("deployment", deployment)["spec"]["template"]["spec"]
        name: str = pods["containers"][0]["envFrom"][0]["configMapRef"]["name"]
        return name

    before = map_of("mgeo-controller")
    settings = copy_of / "settings/kustomization.yaml"
    text = settings.read_text("utf-8").replace("MGEO_LOG_FORMAT=json", "MGEO_LOG_FORMAT=text")
    settings.write_text(text, "utf-8")

    installed.kubectl("apply", "--server-side", "-k", str(copy_of))
    rolled_out(installed, "mgeo-controller")

    assert map_of("mgeo-controller") != before


def test_a_node_can_be_emptied_and_every_role_keeps_a_pod(installed: Cluster) -> None:
    try:
        installed.kubectl(
            *("drain", "node-a", "--ignore-daemonsets", "--delete-emptydir-data"),
            *("--timeout=120s", "--force"),
        )
        pods = installed.get("pods")["items"]
        assert not [one for one in pods if one["spec"].get("nodeName") == "node-a"]
    finally:
        installed.kubectl("uncordon", "node-a")
    for name in ("worker", "controller", "gateway-blue", "gateway-green"):
        rolled_out(installed, f"mgeo-{name}")


def test_the_account_of_the_switch_may_do_that_and_nothing_else(installed: Cluster) -> None:
    installed.create(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "pipeline", "namespace": "mgeo"},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "pipeline", "namespace": "mgeo"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "mgeo-switch",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "pipeline", "namespace": "mgeo"}],
        },
    )

    def may(*what: str) -> bool:
        done = installed.try_kubectl(
            *("-n", "mgeo", "auth", "can-i", *what),
            "--as=system:serviceaccount:mgeo:pipeline",
        )
        return done.stdout.strip() == "yes"

    assert may("patch", "service/mgeo-gateway")
    assert may("create", "pods", "--subresource=portforward")
    assert may("list", "deployments.apps")
    assert not may("patch", "service/mgeo-gateway-blue")
    assert not may("patch", "deployment.apps/mgeo-gateway-blue")
    assert not may("get", "secrets")
    assert not may("create", "pods", "--subresource=exec")
