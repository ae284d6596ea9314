"""The whole way under TLS, with a user for each role that may do nothing but its work."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families

from consumer.stream.shadow import shadow_role
from contracts.settings import KafkaSettings
from deploy.rollout_service import controller_parts
from deploy.rollouts import rollout_client
from producer.publisher import AddressPublisher
from producer.results import ResultReader
from tests.brokers.secured import Tenant
from tests.models import instant
from tests.streams import controller as c
from tests.streams.eventually import eventually
from tests.streams.gateway import running_gateway
from tests.streams.load import Load
from tests.streams.whole_system import SMALL, wrong
from tests.streams.worker import running_worker, until_done

pytestmark = pytest.mark.broker

PATIENCE_S = 120.0
"""TLS and passwords cost many small handshakes, and a busy machine makes each of them wait."""

METRIC = "mgeo_certificate_expiry_timestamp_seconds"
TEXTS = ["北京市海淀区中关村大街1号", "上海市南京东路2号"]


@pytest.mark.parametrize("by", ["password", "certificate"])
async def test_addresses_go_from_publisher_to_reader(tenant: Tenant, by: str) -> None:
    def who(role: str) -> KafkaSettings:
        return tenant.as_(role) if by == "password" else tenant.by_certificate(role)

    await c.first(tenant.owner)
    async with running_worker(who("worker")) as worker:
        await worker.ready(PATIENCE_S)
        async with AddressPublisher(who("publisher")) as publisher:
            await publisher.publish(TEXTS, source="secured")
        async with ResultReader(
            who("reader"), group="results.secured", start="beginning"
        ) as results:
            batch = await anext(aiter(results))
    assert [one.text for one in batch.results] == TEXTS


async def test_services_say_when_the_certificates_in_use_end(tenant: Tenant) -> None:
    """Worker, controller and gateway, each of all three kinds."""
    folder = tenant.security.folder
    expected = {
        "authority": folder / "authority.pem",
        "broker": folder / "broker.pem",
        "client": folder / "users" / "mgeo-worker" / "certificate.pem",
    }
    ends = {
        kind: x509.load_pem_x509_certificate(_certificate(file)).not_valid_after_utc.timestamp()
        for kind, file in expected.items()
    }
    await c.first(tenant.owner)

    def shown(text: str) -> dict[str, float]:
        return {
            sample.labels["certificate"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == METRIC
        }

    parts = controller_parts(c.quick_settings(), tenant.by_certificate("controller"))
    async with (
        running_worker(tenant.by_certificate("worker")) as worker,
        running_gateway(tenant.by_certificate("gateway")) as gateway,
        c.running_controller(tenant.by_certificate("controller"), parts) as controller,
    ):
        await worker.ready(PATIENCE_S)
        await gateway.ready(timeout_s=PATIENCE_S)

        async def seen() -> bool:
            async with gateway.client() as client:
                of_gateway = shown((await client.get("/metrics")).text)
            of_worker = shown((await worker.get("/metrics")).text)
            of_controller = {
                kind: controller.metric(METRIC, {"certificate": kind}) for kind in expected
            }
            # All of these were signed in the same second or two; the worker's own is exact.
            return of_worker == ends and all(
                abs(found.get(kind, 0) - end) < 60
                for found in (of_gateway, of_controller)
                for kind, end in ends.items()
            )

        await eventually(seen, "all three ends at all three services")


def _certificate(file: Path) -> bytes:
    """The first certificate of a file that may begin with a key."""
    pem = file.read_bytes()
    return pem[pem.index(b"-----BEGIN CERTIFICATE") :]


async def test_the_gateway_answers(tenant: Tenant) -> None:
    await c.first(tenant.owner)
    async with (
        running_worker(tenant.as_("worker")) as worker,
        running_gateway(tenant.as_("gateway")) as gateway,
    ):
        await worker.ready(PATIENCE_S)
        await gateway.warm()
        async with gateway.client() as client:
            answer = await client.post("/parse/batch", json={"addresses": TEXTS})
            published = await client.post("/events", json={"addresses": TEXTS})
    assert answer.status_code == 200, answer.text
    assert published.status_code in (200, 202), published.text
    assert await wrong(tenant.owner) == []


@pytest.mark.fault  # most of a minute
async def test_a_rollout_is_promoted_and_taken_back(tenant: Tenant) -> None:
    await c.first(tenant.owner)
    operator = tenant.as_("operator")
    parts = controller_parts(c.quick_settings(), tenant.as_("controller"))
    async with (
        running_worker(tenant.as_("worker"), load=instant.InstantModel) as worker,
        running_worker(tenant.as_("shadow"), role=shadow_role) as _,
        c.running_controller(tenant.as_("controller"), parts) as controller,
    ):
        await worker.ready(PATIENCE_S)
        await controller.leading()
        async with Load(tenant.as_("publisher"), partitions=3, per_second=100):
            await c.start(operator, policy=SMALL)
            await c.until_phase(operator, "PROMOTED", timeout_s=120)
            assert len(await rollout_client(operator).adoption()) == 6
            assert await rollout_client(operator).controllers() == 1
            await c.ask(operator, "rollback")
            await c.until_phase(operator, "ROLLED_BACK")
        await until_done(tenant.owner)
    assert await wrong(tenant.owner) == []
