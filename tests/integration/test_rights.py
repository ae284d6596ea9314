"""On a real broker each role may do what its data say, and each other thing is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.acls import CLUSTER, Operation, Resource
from contracts.settings import KafkaSettings
from contracts.topics import TopicNames, standard_topics
from deploy.security.acl_admin import AclAdmin
from deploy.security.grants import grants
from deploy.topics import TopicAdmin
from tests.brokers.attempts import attempts_of
from tests.brokers.secured import Tenant
from tests.streams.controller import STABLE
from tests.streams.eventually import eventually

pytestmark = pytest.mark.broker

ROLES = (
    "publisher",
    "file-publisher",
    "reader",
    "worker",
    "shadow",
    "controller",
    "gateway",
    "operator",
    "analyst",
    "replayer",
    "scaler",
    "shadow-scaler",
)
"""All but the admin, who is the local broker's super user: it is tried by certificate below."""

TOPIC_OPERATIONS: tuple[Operation, ...] = (
    "read",
    "write",
    "describe",
    "describe_configs",
    "create",
)


def everything(names: TopicNames) -> Iterator[tuple[Resource, str, Operation]]:
    """All that anybody of a system does in Kafka."""
    for spec in standard_topics(names):
        for operation in TOPIC_OPERATIONS:
            yield "topic", spec.name, operation
    groups = (
        names.stable_group,
        names.controller_group,
        names.shadow_group("r-1"),
        f"{names.prefix}mgeo.dlq.replay",
        f"{names.prefix}results.crm",
        f"{names.prefix}another",
    )
    for group in groups:
        yield "group", group, "read"
        yield "group", group, "describe"
    ids = (
        names.transactional_id("stable", names.events, 0),
        names.transactional_id("stable", names.interactive, 2),
        names.transactional_id("shadow", names.events, 0),
        names.transactional_id("controller", names.control, 0),
        f"{names.prefix}mgeo.dlq.replay",
        f"{names.prefix}another",
    )
    for one in ids:
        yield "transactional_id", one, "write"
    yield "cluster", CLUSTER, "alter"


def test_every_role_is_tried(tenant: Tenant) -> None:
    assert {role.name for role in tenant.roles} == {*ROLES, "admin"}


@pytest.mark.parametrize("name", ROLES)
async def test_a_role_may_do_its_work_and_nothing_else(tenant: Tenant, name: str) -> None:
    role = tenant.role(name)
    differs = []
    async with attempts_of(tenant.as_(name)) as attempts:
        for resource, what, operation in everything(tenant.names):
            allowed = await attempts.allowed(resource, what, operation)
            if allowed != role.may(resource, what, operation):
                differs.append((resource, what, operation, "allowed" if allowed else "refused"))
    assert differs == []


async def test_nobody_may_remove_a_topic(tenant: Tenant) -> None:
    for name in ROLES:
        async with attempts_of(tenant.as_(name)) as attempts:
            assert not await attempts.may_delete(tenant.names.events), name


async def test_a_user_has_no_rights_in_another_system(tenant: Tenant) -> None:
    """The same users, and topics that nobody granted them: the attempts are no formality."""
    theirs = TopicNames(f"other-{tenant.names.prefix}")
    async with TopicAdmin(tenant.owner.model_copy(update={"topic_prefix": theirs.prefix})) as admin:
        await admin.create(partitions=1)
    for name in ROLES:
        async with attempts_of(tenant.as_(name)) as attempts:
            for resource, what, operation in everything(theirs):
                assert not await attempts.allowed(resource, what, operation), (name, what)


async def test_the_owner_may_do_all_of_it(tenant: Tenant) -> None:
    """The negative control: every attempt succeeds for who may do everything."""
    async with attempts_of(tenant.owner) as attempts:
        for resource, what, operation in everything(tenant.names):
            assert await attempts.allowed(resource, what, operation), (resource, what, operation)


async def test_an_admin_who_is_no_super_user_makes_topics_and_grants_rights(
    tenant: Tenant,
) -> None:
    names = TopicNames(f"mine-{tenant.names.prefix}")
    signed = tenant.security.authority.sign("ci-admin")
    home = tenant.broker.work_dir / "ci-admin"
    home.mkdir(exist_ok=True)
    signed.write(home / "certificate.pem", home / "key.pem")
    admin = KafkaSettings(
        kafka_bootstrap_servers=f"127.0.0.1:{tenant.broker.mutual_port}",
        kafka_security_protocol="SSL",
        kafka_ssl_ca_file=tenant.security.authority_file,
        kafka_ssl_certificate_file=home / "certificate.pem",
        kafka_ssl_key_file=home / "key.pem",
        topic_prefix=names.prefix,
    )
    here = Tenant(tenant.broker, names)
    mine = grants([here.role("admin")], {"admin": ["ci-admin"]})
    async with AclAdmin(tenant.owner) as owner:
        await owner.grant(mine)

    from deploy.first_state import write_first_state

    async with TopicAdmin(admin) as topics:
        assert len((await topics.create(partitions=2)).created) == len(standard_topics(names))
        assert await topics.check() == ()
    assert await write_first_state(admin, STABLE) is not None

    async with AclAdmin(admin) as rights:
        wanted = grants([here.role("worker")], {})
        await rights.grant((await rights.compare(wanted)).missing)
        compared = await rights.compare(wanted)
    assert compared.missing == ()
    assert len(compared.present) == len(here.role("worker").rights)

    async with attempts_of(admin) as attempts:
        for resource, what, operation in everything(names):
            allowed = await attempts.allowed(resource, what, operation)
            assert allowed == here.role("admin").may(resource, what, operation), (what, operation)


async def test_granting_twice_changes_nothing_and_what_is_beyond_is_told(tenant: Tenant) -> None:
    worker = grants([tenant.role("worker")], {})
    more = grants([tenant.role("analyst")], {"analyst": ["mgeo-worker"]})
    async with AclAdmin(tenant.owner) as admin:
        before = await admin.granted()
        await admin.grant(worker)
        assert await admin.granted() == before
        assert (await admin.compare(worker)).missing == ()
        await admin.grant(more)
        extra = {one for one in more if one not in worker}

        async def told() -> bool:
            return extra <= set((await admin.compare(worker)).beyond)

        await eventually(told, "what is beyond is told")  # brokers learn of a grant by and by


def test_another_client_reads_the_same_rights(tenant: Tenant) -> None:
    """librdkafka, with names where this project has numbers."""
    from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its docs name them here
        AclBindingFilter,
        AclOperation,
        AclPermissionType,
        AdminClient,
        ResourcePatternType,
        ResourceType,
    )

    client = AdminClient(
        {
            "bootstrap.servers": tenant.broker.bootstrap_servers,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "mgeo-admin",
            "sasl.password": tenant.security.password_file("mgeo-admin").read_text(),
            "ssl.ca.location": str(tenant.security.authority_file),
        }
    )
    wanted = AclBindingFilter(
        ResourceType.ANY,
        None,
        ResourcePatternType.ANY,
        None,
        None,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    found = {
        (
            one.principal,
            one.restype.name.lower().replace("broker", "cluster"),
            one.name,
            one.resource_pattern_type is ResourcePatternType.PREFIXED,
            one.operation.name.lower(),
        )
        for one in client.describe_acls(wanted).result(30)
        if one.host == "*" and one.permission_type is AclPermissionType.ALLOW
    }
    ours = {
        (
            one.principal,
            one.right.resource,
            one.right.name,
            one.right.prefixed,
            one.right.operation,
        )
        for one in grants([role for role in tenant.roles if role.name != "admin"], {})
    }
    assert ours <= found
