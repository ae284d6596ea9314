"""What the controller looks up in Kafka: partitions, what groups have noted, topic settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code

from contracts.access import check_visible, not_authorized
from contracts.topics import TopicNames
from rollout.group_notes import GroupNotes, read_group

RETENTION: Final = "retention.ms"


class Observer:
    """Asks Kafka. Every method raises ``KafkaError`` where it does not answer.

    Args:
        client_options: how Kafka is reached.
        names: of the topics.
    """

    def __init__(self, client_options: Mapping[str, Any], names: TopicNames) -> None:
        self._admin = AIOKafkaAdminClient(client_id="mgeo-controller", **client_options)
        self._names = names
        self._interactive = False

    async def open(self) -> None:
        """Connect."""
        await self._admin.start()

    async def close(self) -> None:
        """Let go."""
        await self._admin.close()

    async def missing(self, topics: tuple[str, ...]) -> list[str]:
        """Those of these topics that Kafka does not have.

        Raises:
            AccessRefusedError: this user may not even see one of them.
        """
        found = await self._admin.describe_topics(list(topics))
        check_visible(found)
        return [topic["topic"] for topic in found if topic["error_code"] != 0]

    async def partitions(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Those of ``address.events``, and of ``address.interactive``: a cluster may lack it.

        Only a topic that Kafka does not know is absent, and only until it was seen: taken for
        absent by mistake, nobody would wait for what is served there.

        Raises:
            AccessRefusedError: this user may not even see one of them.
            KafkaError: whatever else Kafka says of one of them.
        """
        found = await self._admin.describe_topics(list(self._names.inputs))
        check_visible(found)
        numbers: dict[str, tuple[int, ...]] = {}
        for topic in found:
            name, code = topic["topic"], topic["error_code"]
            if code == 0:
                numbers[name] = tuple(sorted(int(one["partition"]) for one in topic["partitions"]))
            elif code != UnknownTopicOrPartitionError.errno or (
                name == self._names.interactive and self._interactive
            ):
                raise for_code(code)(f"the partitions of {name} cannot be seen")
        self._interactive |= self._names.interactive in numbers
        return numbers.get(self._names.events, ()), numbers.get(self._names.interactive, ())

    async def group(self, name: str, topic: str) -> GroupNotes:
        """What a group has committed of an input, and noted beside it."""
        # No waiting: while the group cannot be asked, the controller has other things to do.
        return await read_group(self._admin, name, topic, within_s=0.0)

    async def retention_ms(self, topic: str) -> int:
        """For how long a topic keeps records, in milliseconds; -1 means for ever.

        Raises:
            AccessRefusedError: this user may not see the topic's settings.
            KafkaError: whatever else Kafka says instead.
        """
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={RETENTION: ""})
        for answer in await self._admin.describe_configs([resource]):
            for code, _message, _kind, _name, entries in answer.resources:
                if code == TopicAuthorizationFailedError.errno:
                    raise not_authorized("topic", topic)
                if code:
                    raise for_code(code)(f"the settings of {topic} cannot be seen")
                for entry in entries:
                    if entry[0] == RETENTION:
                        return int(entry[1])
        return -1
