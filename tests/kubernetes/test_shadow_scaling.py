"""The scaler, with the token and the rights that the tree gives it, on a real control topic."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.phases import Phase
from contracts.settings import KafkaSettings
from deploy.demo.processes import Service, is_ready
from deploy.scaling.api import Scale
from tests.brokers.admin import TopicFactory
from tests.kubernetes.plane.control_plane import Cluster, free_port
from tests.streams.command import environment
from tests.streams.eventually import eventually
from tests.streams.stand_in_controller import StandInController, rollout

pytestmark = pytest.mark.broker


@pytest.fixture
def account(installed: Cluster, tmp_path: Path) -> Path:
    """What Kubernetes mounts into the scaler's pod."""
    folder = tmp_path / "account"
    folder.mkdir()
    token = installed.kubectl("-n", "mgeo", "create", "token", "mgeo-scaler")
    (folder / "token").write_text(token, "utf-8")
    (folder / "namespace").write_text("mgeo", "utf-8")
    (folder / "ca.crt").write_bytes((installed.folder / "ca.crt").read_bytes())
    return folder


def api(cluster: Cluster) -> dict[str, str]:
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(cluster.port)}


@pytest.fixture
def scaler(
    installed: Cluster,
    account: Path,
    kafka: KafkaSettings,
    topics: TopicFactory,
    tmp_path: Path,
) -> Iterator[tuple[KafkaSettings, int]]:
    names = topics.create_standard(partitions=1)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    port = free_port()
    told = {
        **environment(stream, tmp_path),
        **api(installed),
        "MGEO_SERVICE_ACCOUNT": str(account),
        "MGEO_SCALE_INTERVAL_MS": "500",
    }
    service = Service(
        "scaler",
        ("deploy", "scale-shadow", "--replicas", "2", "--port", str(port)),
        told,
        tmp_path,
    )
    try:
        yield stream, port
        service.stop()
    finally:
        service.kill()
        sys.stdout.write(service.log.read_text(errors="replace"))


async def test_shadow_workers_come_with_a_rollout_and_go_with_it(
    installed: Cluster, scaler: tuple[KafkaSettings, int]
) -> None:
    stream, port = scaler

    async def shadows(number: int) -> None:
        async def there() -> bool:
            found = installed.get("deployment", "mgeo-shadow")
            ready = found["status"].get("readyReplicas", 0)
            return bool(found["spec"]["replicas"] == number == ready)

        await eventually(there, f"{number} shadow workers", timeout_s=60)

    installed.kubectl("-n", "mgeo", "scale", "deployment/mgeo-shadow", "--replicas=1")
    async with StandInController(stream) as controller:
        await shadows(0)
        assert is_ready(port)
        await controller.move(Phase.REGISTERED, about=rollout())
        await shadows(2)
        for phase in (Phase.WARMING, Phase.SHADOWING, Phase.STAGING, Phase.BAKING):
            await controller.move(phase)
        # Somebody else turns the number: it is put right.
        installed.kubectl("-n", "mgeo", "scale", "deployment/mgeo-shadow", "--replicas=1")
        await shadows(2)
        await controller.move(Phase.PROMOTED)
        await shadows(0)


async def test_its_token_scales_the_shadow_and_nothing_else(
    installed: Cluster, account: Path
) -> None:
    async with Scale("mgeo-shadow", account, api(installed)) as shadow:
        await shadow.set(1)
        assert await shadow.replicas() == 1
        await shadow.set(0)
    async with Scale("mgeo-worker", account, api(installed)) as worker:
        with pytest.raises(Exception, match="403"):
            await worker.set(0)
