"""Whoever Kafka refuses hears it once, in one sentence with a code, and is not left trying."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from consumer.stream.shadow import shadow_role
from contracts.access import AccessRefusedError, why_refused
from contracts.errors import BackendUnreachableError
from contracts.settings import KafkaSettings
from deploy.local.authority import Authority
from deploy.rollout_service import controller_parts
from deploy.rollouts import rollout_client
from deploy.topics import TopicAdmin
from producer.dead_letters.letter import Selection
from producer.dead_letters.replay import replay
from producer.publisher import AddressPublisher
from producer.results import ResultReader
from tests.brokers.program import Program
from tests.brokers.secured import Tenant
from tests.streams import controller as c
from tests.streams.gateway import running_gateway
from tests.streams.worker import running_worker

pytestmark = [pytest.mark.broker, pytest.mark.fault]  # minutes, for what rules are tested without

PATIENCE_S = 120.0
"""TLS and passwords cost many small handshakes, and a busy machine makes each of them wait."""

PASSWORD = "canary-password"  # noqa: S105  (made up here, and looked for in what is printed)
SOON_S = 150.0
"""A guard against trying for ever, not a measure."""


async def refused(kafka: KafkaSettings) -> AccessRefusedError:
    """What a publisher is told who comes with these settings."""
    async with asyncio.timeout(SOON_S):
        with pytest.raises(AccessRefusedError) as caught:
            async with AddressPublisher(kafka):
                pass
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


Change = Callable[[Tenant, Path], KafkaSettings]


def _with(tenant: Tenant, **changes: object) -> KafkaSettings:
    return tenant.as_("publisher").model_copy(update=changes)


def stranger(folder: Path) -> Path:
    """The certificate of an authority that nobody knows."""
    Authority.make("nobody").write(folder / "stranger.pem", folder / "stranger.key")
    return folder / "stranger.pem"


WAYS: dict[str, tuple[str, Change]] = {
    "a wrong password": (
        "authentication_failed",
        lambda tenant, _: _with(
            tenant, kafka_sasl_password_file=None, kafka_sasl_password=SecretStr(PASSWORD)
        ),
    ),
    "a user that nobody made": (
        "authentication_failed",
        lambda tenant, _: _with(tenant, kafka_sasl_username="nobody"),
    ),
    "a mechanism that is not enabled": (
        "sasl_refused",
        lambda tenant, _: _with(tenant, kafka_sasl_mechanism="SCRAM-SHA-256"),
    ),
    "an authority that did not sign": (
        "tls_untrusted",
        lambda tenant, folder: _with(tenant, kafka_ssl_ca_file=stranger(folder)),
    ),
    "no authority at all": (
        "tls_untrusted",
        lambda tenant, _: _with(tenant, kafka_ssl_ca_file=None),
    ),
    "a client without TLS": (
        "tls_mismatch",
        lambda tenant, _: _with(tenant, kafka_security_protocol="PLAINTEXT"),
    ),
    "a password without TLS": (
        "tls_mismatch",
        lambda tenant, _: _with(tenant, kafka_security_protocol="SASL_PLAINTEXT"),
    ),
    "a listener that wants a password and gets none": (
        "sasl_refused",
        lambda tenant, _: _with(tenant, kafka_security_protocol="SSL"),
    ),
    "a listener that wants a certificate and gets none": (
        "tls_client_refused",
        lambda tenant, _: tenant.by_certificate("publisher").model_copy(
            update={"kafka_ssl_certificate_file": None, "kafka_ssl_key_file": None}
        ),
    ),
    "a certificate that another authority signed": (
        "tls_client_refused",
        lambda tenant, folder: _self_made(tenant, folder),
    ),
    "a certificate that has ended": (
        "tls_client_refused",
        lambda tenant, folder: _ended(tenant, folder),
    ),
}


def _self_made(tenant: Tenant, folder: Path) -> KafkaSettings:
    Authority.make("nobody").sign("mgeo-admin").write(folder / "me.pem", folder / "me.key")
    return _shown(tenant, folder)


def _ended(tenant: Tenant, folder: Path) -> KafkaSettings:
    long_ago = datetime.now(UTC) - timedelta(days=3)
    signed = tenant.security.authority.sign("mgeo-publisher", now=long_ago, life=timedelta(days=1))
    signed.write(folder / "me.pem", folder / "me.key")
    return _shown(tenant, folder)


def _shown(tenant: Tenant, folder: Path) -> KafkaSettings:
    return tenant.by_certificate("publisher").model_copy(
        update={
            "kafka_ssl_certificate_file": folder / "me.pem",
            "kafka_ssl_key_file": folder / "me.key",
        }
    )


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_being_refused_has_its_code(
    tenant: Tenant, tmp_path: Path, way: str
) -> None:
    code, change = WAYS[way]
    error = await refused(change(tenant, tmp_path))
    assert error.code == code, str(error)
    assert PASSWORD not in f"{error} {error.hint} {error!r}"


async def test_tls_at_a_port_without_it(kafka: KafkaSettings, tenant: Tenant) -> None:
    here = kafka.kafka_bootstrap_servers
    for one in (tenant.as_("publisher"), tenant.by_certificate("publisher")):
        error = await refused(one.model_copy(update={"kafka_bootstrap_servers": here}))
        assert error.code == "tls_mismatch"


async def test_a_password_where_none_is_taken(kafka: KafkaSettings, tenant: Tenant) -> None:
    plain = _with(
        tenant,
        kafka_bootstrap_servers=kafka.kafka_bootstrap_servers,
        kafka_security_protocol="SASL_PLAINTEXT",
    )
    assert (await refused(plain)).code == "sasl_refused"


@asynccontextmanager
async def shows(folder: Path, authority: Authority, **how: object) -> AsyncIterator[int]:
    """A TLS server with such a certificate; a client that checks never gets past it."""
    authority.sign("a broker", **how).write(folder / "server.pem", folder / "server.pem")  # type: ignore[arg-type]  # passed on
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"hosts": ["kafka.elsewhere"]}, "tls_wrong_host"),
        ({"hosts": ["10.0.0.1"]}, "tls_wrong_host"),
        (
            {
                "hosts": ["127.0.0.1"],
                "now": datetime.now(UTC) - timedelta(days=9),
                "life": timedelta(days=2),
            },
            "tls_expired",
        ),
        ({"hosts": ["127.0.0.1"], "now": datetime.now(UTC) + timedelta(days=9)}, "tls_expired"),
    ],
)
async def test_a_broker_with_a_certificate_that_is_not_right(
    tenant: Tenant, tmp_path: Path, how: dict[str, object], code: str
) -> None:
    async with shows(tmp_path, tenant.security.authority, **how) as port:
        there = _with(tenant, kafka_bootstrap_servers=f"127.0.0.1:{port}")
        assert (await refused(there)).code == code


async def test_a_broker_that_is_away_is_no_refusal(tenant: Tenant) -> None:
    """The negative control: nobody is told of passwords where nobody answers."""
    away = _with(tenant, kafka_bootstrap_servers="127.0.0.1:1")
    assert await why_refused(away) is None
    with pytest.raises(BackendUnreachableError):
        async with AddressPublisher(away):
            pass


async def test_one_broker_that_welcomes_us_is_enough(tenant: Tenant, kafka: KafkaSettings) -> None:
    mixed = f"{kafka.kafka_bootstrap_servers},{tenant.broker.bootstrap_servers}"
    both = _with(tenant, kafka_bootstrap_servers=mixed)
    assert await why_refused(both) is None


# --- rights ---------------------------------------------------------------------------------------


async def test_what_a_user_may_not_use_is_named(tenant: Tenant) -> None:
    names = tenant.names
    async with asyncio.timeout(SOON_S):
        with pytest.raises(AccessRefusedError, match="may write to no topic"):
            async with AddressPublisher(tenant.as_("reader")):
                pass
        with pytest.raises(AccessRefusedError, match=f"the topic {names.events}"):
            async with AddressPublisher(tenant.as_("operator")) as publisher:
                await publisher.publish(["京"])
        with pytest.raises(AccessRefusedError, match=f"the topic {names.parsed}"):
            async with ResultReader(tenant.as_("gateway")):
                pass
        with pytest.raises(AccessRefusedError, match=f"the consumer group {names.prefix}crm"):
            async with ResultReader(tenant.as_("reader"), group="crm") as results:
                await anext(aiter(results))
        with pytest.raises(AccessRefusedError, match="the transactional id"):
            await replay(tenant.as_("publisher"), Selection())
        with pytest.raises(AccessRefusedError, match=f"the topic {names.control}"):
            await rollout_client(tenant.as_("reader")).state()
        with pytest.raises(AccessRefusedError, match="the topic"):
            async with TopicAdmin(tenant.as_("reader")) as admin:
                await admin.check()


async def test_who_sees_a_topic_and_may_not_read_it_is_told_so(tenant: Tenant) -> None:
    """A publisher sees where results begin, and nothing of them."""
    async with asyncio.timeout(SOON_S):
        await c.first(tenant.owner)
        async with AddressPublisher(tenant.as_("publisher")) as publisher:
            await publisher.publish(["京"])
        async with running_worker(tenant.as_("worker")) as worker:
            await worker.ready(PATIENCE_S)
            async with ResultReader(tenant.as_("reader"), start="beginning") as results:
                await anext(aiter(results))
        with pytest.raises(AccessRefusedError, match=f"the topic {tenant.names.parsed}"):
            async with ResultReader(tenant.as_("publisher"), start="beginning") as results:
                await anext(aiter(results))


@pytest.mark.parametrize("role", ["reader", "shadow", "gateway"])
async def test_a_worker_without_its_rights_ends(tenant: Tenant, role: str) -> None:
    await c.first(tenant.owner)
    async with asyncio.timeout(SOON_S):
        with pytest.raises(AccessRefusedError):
            async with running_worker(tenant.as_(role)) as worker:
                await asyncio.wait({worker.task})


@pytest.mark.parametrize("right", ["group", "transactional_id", "parsed"])
async def test_a_worker_that_lacks_one_right_ends_and_names_it(tenant: Tenant, right: str) -> None:
    """Each is found at another place: joining, opening a lane, and committing the first result."""
    from deploy.security.acl_admin import AclAdmin
    from deploy.security.grants import grants

    user = f"half-{right}-{tenant.names.prefix}".rstrip(".")
    rights = {
        "group": lambda one: one.resource == "group",
        "transactional_id": lambda one: one.resource == "transactional_id",
        "parsed": lambda one: one.name == tenant.names.parsed and one.operation == "write",
    }
    lacking = [
        one
        for one in grants([tenant.role("worker")], {"worker": [user]})
        if not rights[right](one.right)
    ]
    if right == "parsed":  # the topic must be seen, or it is missed at once
        lacking += [
            one
            for one in grants([tenant.role("publisher")], {"publisher": [user]})
            if one.right.name == tenant.names.parsed
        ]
    async with AclAdmin(tenant.owner) as admin:
        await admin.grant(lacking)
    home = tenant.broker.work_dir / user
    home.mkdir()
    tenant.security.authority.sign(user).write(home / "c.pem", home / "c.pem")
    kafka = tenant.by_certificate("worker").model_copy(
        update={"kafka_ssl_certificate_file": home / "c.pem", "kafka_ssl_key_file": None}
    )
    await c.first(tenant.owner)
    async with AddressPublisher(tenant.as_("publisher")) as publisher:
        await publisher.publish(["京"])
    word = {"group": "consumer group", "transactional_id": "transactional id", "parsed": "topic"}
    async with asyncio.timeout(SOON_S):
        with pytest.raises(AccessRefusedError, match=word[right]):
            async with running_worker(kafka) as worker:
                await asyncio.wait({worker.task})


async def test_a_shadow_worker_without_its_rights_ends(tenant: Tenant) -> None:
    async with asyncio.timeout(SOON_S):
        with pytest.raises(AccessRefusedError):
            async with running_worker(tenant.as_("worker"), role=shadow_role) as worker:
                await asyncio.wait({worker.task})


async def test_a_gateway_without_its_rights_ends(tenant: Tenant) -> None:
    async with asyncio.timeout(SOON_S):
        with pytest.raises(AccessRefusedError):
            async with running_gateway(tenant.as_("reader")) as gateway:
                await asyncio.wait({gateway.task})


async def ended(controller: c.RunningController) -> None:
    assert controller.task is not None
    await asyncio.wait({controller.task})


async def test_a_controller_without_its_rights_ends(tenant: Tenant) -> None:
    parts = controller_parts(c.quick_settings(), tenant.as_("operator"))
    async with asyncio.timeout(SOON_S):
        with pytest.raises(AccessRefusedError):
            async with c.running_controller(tenant.as_("operator"), parts) as controller:
                await ended(controller)


# --- the program ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("rollout", "status"),
        ("worker", "--port", "0"),
        *(
            pytest.param(one, marks=pytest.mark.fault)  # ten seconds each
            for one in (
                ("publish", "-", "--format", "text"),
                ("results",),
                ("topics", "check"),
                ("topics", "acls", "--check"),
                ("dlq", "list"),
                ("insights",),
                ("gateway", "--port", "0"),
            )
        ),
    ],
    ids=" ".join,
)
def test_a_wrong_password_is_one_clear_sentence(
    tenant: Tenant, mgeo: Program, command: tuple[str, ...]
) -> None:
    outcome = mgeo(
        *command,
        MGEO_KAFKA_BOOTSTRAP_SERVERS=tenant.broker.bootstrap_servers,
        MGEO_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        MGEO_KAFKA_SSL_CA_FILE=str(tenant.security.authority_file),
        MGEO_KAFKA_SASL_USERNAME="mgeo-admin",
        MGEO_KAFKA_SASL_PASSWORD=PASSWORD,
        MGEO_LOG_FORMAT="json",
    )
    assert outcome.code == 2, outcome.err
    said = [line for line in outcome.err.splitlines() if not line.startswith("{")]
    assert said[0] == (
        "Error: Kafka refused the password of the user mgeo-admin, or knows no such user"
    )
    assert len(said) == 2  # the sentence, and what to do
    assert PASSWORD not in outcome.out + outcome.err
    assert "Traceback" not in outcome.err
