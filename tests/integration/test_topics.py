"""Creating and checking the system's topics on a real broker."""

from __future__ import annotations

import asyncio

import pytest

from contracts.errors import BackendUnreachableError
from contracts.settings import KafkaSettings
from contracts.topics import standard_topics
from deploy.errors import DeployError
from deploy.topics import TopicAdmin
from tests.brokers.admin import TopicFactory

pytestmark = pytest.mark.broker


@pytest.fixture
def fresh(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    """Settings with a topic prefix that nothing uses yet."""
    settings = kafka.model_copy(update={"topic_prefix": f"{topics.unique('sys')}."})
    topics.forget(*(spec.name for spec in standard_topics(settings.names)))
    return settings


async def test_create_makes_every_topic_and_repeats_harmlessly(fresh: KafkaSettings) -> None:
    async with TopicAdmin(fresh) as admin:
        first = await admin.create(partitions=3)
        assert set(first.created) == {spec.name for spec in standard_topics(fresh.names)}
        assert first.differences == ()
        second = await admin.create()
        assert (second.created, second.differences) == ((), ())
        assert await admin.check() == ()
        found = await admin.find(standard_topics(fresh.names))
        assert found[fresh.names.events].partitions == 3
        assert found[fresh.names.control].config["cleanup.policy"] == "compact"


async def test_topics_are_as_large_as_the_limits_in_the_environment_ask(
    fresh: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TopicAdmin(fresh) as admin:
        await admin.create(partitions=1)
    monkeypatch.setenv("MGEO_LIMITS", '{"max_record_bytes": 2097152}')

    async with TopicAdmin(fresh) as admin:
        differing = {d.topic for d in await admin.check() if d.setting == "max.message.bytes"}

    assert differing == {*fresh.names.inputs, fresh.names.dead_letters}


async def test_existing_topics_that_differ_are_reported_and_left_alone(
    fresh: KafkaSettings, topics: TopicFactory
) -> None:
    names = fresh.names
    topics.create(4, name=names.events)
    topics.create(2, name=names.parsed)
    async with TopicAdmin(fresh) as admin:
        result = await admin.create()
        assert names.shadow in result.created
        said = {(d.topic, d.setting) for d in result.differences}
        assert (names.parsed, "partitions") in said
        assert (names.events, "max.message.bytes") in said
        assert (names.events, "partitions") not in said
        found = await admin.find(standard_topics(names))
        assert found[names.parsed].partitions == 2
        assert found[names.shadow].partitions == 4  # as many as the input that was there


async def test_two_creators_at_once_both_succeed(fresh: KafkaSettings) -> None:
    async def create() -> tuple[str, ...]:
        async with TopicAdmin(fresh) as admin:
            result = await admin.create(partitions=1)
            assert result.differences == ()
            return result.created

    results = await asyncio.gather(*(create() for _ in range(3)))
    created = [name for names in results for name in names]
    assert sorted(created) == sorted(spec.name for spec in standard_topics(fresh.names))


async def test_more_copies_than_brokers_is_a_clear_error(fresh: KafkaSettings) -> None:
    async with TopicAdmin(fresh) as admin:
        with pytest.raises(DeployError, match="Kafka refused to create") as caught:
            await admin.create(replication=99)
    assert "--replication-factor" in caught.value.hint


async def test_nobody_home_is_unreachable() -> None:
    with pytest.raises(BackendUnreachableError, match=r"does not answer at 127\.0\.0\.1:1"):
        async with TopicAdmin(KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1")):
            pass
