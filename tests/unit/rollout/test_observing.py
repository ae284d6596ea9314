"""What Kafka refuses to tell is never taken for what is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, LeaderNotAvailableError, UnknownTopicOrPartitionError

from contracts.access import AccessRefusedError
from contracts.topics import TopicNames
from rollout.controller.observe import RETENTION, Observer

REFUSED = 29
THREE = [{"partition": number} for number in range(3)]


class Kafka:
    """An admin client that answers so about the interactive topic, and about settings."""

    def __init__(self, interactive: int = 0, settings: int = 0) -> None:
        self.interactive, self.settings = interactive, settings

    async def describe_topics(self, _topics: list[str]) -> list[dict[str, Any]]:
        return [
            {"topic": "address.events", "error_code": 0, "partitions": THREE},
            {
                "topic": "address.interactive",
                "error_code": self.interactive,
                "partitions": [] if self.interactive else THREE,
            },
        ]

    async def describe_configs(self, resources: list[Any]) -> list[Any]:
        entries = [] if self.settings else [(RETENTION, "60000")]
        return [SimpleNamespace(resources=[(self.settings, "", 2, resources[0].name, entries)])]


def observer(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> Observer:
    monkeypatch.setattr("rollout.controller.observe.AIOKafkaAdminClient", lambda **_: kafka)
    return Observer({}, TopicNames())


async def test_a_topic_that_is_unknown_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(UnknownTopicOrPartitionError.errno)
    assert await observer(kafka, monkeypatch).partitions() == ((0, 1, 2), ())


async def test_a_topic_that_was_seen_is_not_absent_a_moment_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka = Kafka()
    watching = observer(kafka, monkeypatch)
    assert await watching.partitions() == ((0, 1, 2), (0, 1, 2))
    kafka.interactive = UnknownTopicOrPartitionError.errno
    with pytest.raises(UnknownTopicOrPartitionError):
        await watching.partitions()


@pytest.mark.parametrize(
    ("code", "error"),
    [(REFUSED, AccessRefusedError), (LeaderNotAvailableError.errno, LeaderNotAvailableError)],
)
async def test_a_refusal_and_any_other_trouble_is_no_absence(
    code: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error):
        await observer(Kafka(code), monkeypatch).partitions()


async def test_retention_that_may_not_be_seen_is_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await observer(Kafka(), monkeypatch).retention_ms("address.shadow") == 60_000
    for code, error in ((REFUSED, AccessRefusedError), (3, KafkaError)):
        with pytest.raises(error):
            await observer(Kafka(settings=code), monkeypatch).retention_ms("address.shadow")
