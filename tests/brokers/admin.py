"""Topics for tests: made in milliseconds, each with a name of its own, removed at the end."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from contracts.limits import Limits
from contracts.settings import KafkaSettings, client_options
from contracts.topics import TopicNames, standard_topics
from deploy.local.readiness import plainly

T = TypeVar("T")


class AdminThread:
    """One admin client on a loop of its own, so that sync and async tests use it alike."""

    def __init__(self, kafka: KafkaSettings | str) -> None:
        """``kafka``: how the broker is reached, or just where, for one without security."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._admin = self.call(self._open(plainly(kafka) if isinstance(kafka, str) else kafka))

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @property
    def client(self) -> AIOKafkaAdminClient:
        return self._admin

    def close(self) -> None:
        self.call(self._admin.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self, kafka: KafkaSettings) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(**client_options(kafka))
        await admin.start()
        return admin


class TopicFactory:
    """Makes topics for one test and removes them after it."""

    def __init__(self, admin: AdminThread) -> None:
        self._admin = admin
        self._made: list[str] = []

    @staticmethod
    def unique(hint: str = "t") -> str:
        """A name that no other test, and no other run of the suite, uses."""
        return f"{hint}-{uuid.uuid4().hex[:12]}"

    def create(
        self,
        partitions: int = 1,
        *,
        hint: str = "topic",
        name: str = "",
        config: Mapping[str, str] | None = None,
    ) -> str:
        """Create one topic, by default with a unique name, and return the name."""
        name = name or self.unique(hint)
        self._create([NewTopic(name, partitions, 1, topic_configs=dict(config or {}))])
        return name

    def create_standard(self, partitions: int = 1, *, limits: Limits | None = None) -> TopicNames:
        """Create every topic of the system under a unique prefix and return the names."""
        names = TopicNames(f"{self.unique('sys')}.")
        specs = standard_topics(names, partitions=partitions, limits=limits)
        self._create(
            [
                NewTopic(spec.name, spec.partitions, 1, topic_configs=dict(spec.config))
                for spec in specs
            ]
        )
        return names

    def partitions(self, name: str) -> int:
        """How many partitions a topic has."""
        (topic,) = self._admin.call(self._admin.client.describe_topics([name]))
        return len(topic["partitions"])

    def delete(self, name: str) -> None:
        """Delete one topic now, and wait until Kafka does not know it any more."""
        self._admin.call(self._admin.client.delete_topics([name]))
        deadline = time.monotonic() + 20
        while True:
            (found,) = self._admin.call(self._admin.client.describe_topics([name]))
            if found["error_code"] != 0:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the topic is still there after 20 s: {name}")
            time.sleep(0.01)

    def remake(
        self, name: str, partitions: int = 1, *, config: Mapping[str, str] | None = None
    ) -> None:
        """Delete a topic that this made and make one of the same name, empty."""
        self.delete(name)
        self._made.remove(name)
        self.create(partitions, name=name, config=config)

    def forget(self, *names: str) -> None:
        """Remove these at the end of the test too: topics that the test made by other means."""
        self._made.extend(names)

    def delete_all(self) -> None:
        if self._made:
            self._admin.call(self._admin.client.delete_topics(sorted(set(self._made))))
            self._made = []

    def _create(self, topics: list[NewTopic]) -> None:
        response = self._admin.call(self._admin.client.create_topics(topics))
        for name, code, *_ in response.topic_errors:
            if code != 0:
                raise for_code(code)(f"could not create the topic {name}")
        self._made.extend(topic.name for topic in topics)
        wanted = {topic.name: topic.num_partitions for topic in topics}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = self._admin.call(self._admin.client.describe_topics(list(wanted)))
            led = {
                topic["topic"]: sum(part["leader"] >= 0 for part in topic["partitions"])
                for topic in found
                if topic["error_code"] == 0
            }
            if led == wanted:
                return
            time.sleep(0.01)
        raise TimeoutError(f"topics got no leaders in 20 s: {sorted(wanted)}")
