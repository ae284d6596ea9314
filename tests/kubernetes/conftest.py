"""A real control plane for the run, and the tree applied to it anew for each module."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.plane.binaries import directory, missing
from tests.kubernetes.plane.control_plane import Cluster
from tests.unit.kubernetes.trees import TREE, Variant, write_overlay

VARIANT = Variant(("blue", "green"), ("autoscaling/hpa",))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = missing()
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker("kubernetes")
        if absent:
            why = f"not built: {', '.join(absent)} in {directory()} (make kubernetes builds them)"
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with three made-up nodes and the kinds that KEDA brings."""
    cluster = Cluster(tmp_path_factory.mktemp("kubernetes"))
    try:
        cluster.start()
        cluster.apply(directory() / "keda.yaml")
        cluster.kubectl("wait", "--for=condition=established", "crd", "--all", "--timeout=60s")
        cluster.create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": "models"},
                "spec": {
                    "capacity": {"storage": "20Gi"},
                    "accessModes": ["ReadWriteMany"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "nfs": {"server": "store.example.org", "path": "/models"},
                },
            }
        )
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's overlay: both colours, scaled by the processor."""
    folder = tmp_path_factory.mktemp("overlay") / "mine"
    folder.mkdir()
    write_overlay(folder, VARIANT)
    return folder


@pytest.fixture(scope="session")
def installed(control_plane: Cluster, overlay: Path) -> Cluster:
    """The cluster with the overlay and the address applied, everything rolled out."""
    control_plane.kubectl("apply", "--server-side", "-k", str(overlay))
    control_plane.kubectl("create", "-k", str(TREE / "address"))
    for name in ("worker", "controller", "scaler", "gateway-blue", "gateway-green"):
        rolled_out(control_plane, f"mgeo-{name}", at_least=1 if name == "scaler" else 2)
    return control_plane


def rolled_out(cluster: Cluster, deployment: str, *, at_least: int = 0) -> None:
    """Wait until a Deployment has what it wants, and somebody has made it want enough."""
    deadline = time.monotonic() + 60
    while cluster.get("deployment", deployment)["spec"]["replicas"] < at_least:
        assert time.monotonic() < deadline, f"{deployment} stays below {at_least}"
        time.sleep(0.3)
    cluster.kubectl("-n", "mgeo", "rollout", "status", f"deployment/{deployment}", "--timeout=120s")


@pytest.fixture
def copy_of(overlay: Path, tmp_path: Path) -> Path:
    """An overlay that a test may change; beside the first, so that its paths hold."""
    folder = overlay.parent / tmp_path.name
    shutil.copytree(overlay, folder)
    return folder
