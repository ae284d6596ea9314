"""The system's topics on a cluster: what must hold, what does, and making what is missing.

`compare` and `plan` decide and are pure; `TopicAdmin` asks Kafka and creates. Nothing here ever
changes or removes a topic that exists.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.admin import ApiVersionRequest

from contracts.access import check_visible, refusal, refused_by
from contracts.errors import BackendUnreachableError
from contracts.limits import Limits
from contracts.settings import KafkaSettings, LimitSettings, client_options
from contracts.topics import TopicNames, TopicSpec, standard_topics
from deploy.errors import DeployError

DEFAULT_PARTITIONS = 6
SERVED_WITHIN_S = 30
MAX_REPLICATION = 3
"""What `None` replication means on a cluster: three copies survive one broker's loss."""


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as the cluster has it; `config` holds at least the settings asked for."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a topic is not as it must be."""

    topic: str
    kind: Literal["missing", "partitions", "config"]
    setting: str
    expected: str
    found: str

    @property
    def sentence(self) -> str:
        """The difference in words."""
        if self.kind == "missing":
            return "missing"
        return f"{self.setting} must be {self.expected}, is {self.found or 'not set'}"

    @property
    def hint(self) -> str:
        """What a person can do about it."""
        if self.kind == "missing":
            return "mgeo topics create"
        if self.kind == "partitions":
            if self.expected.startswith("≥"):
                return (
                    "add partitions with your cluster's tools while no worker runs: a key's "
                    "records change partition"
                )
            return "partitions cannot be removed: use another MGEO_TOPIC_PREFIX"
        return f"set {self.setting}={self.expected} on the topic with your cluster's tools"


def compare(spec: TopicSpec, found: FoundTopic | None) -> tuple[Difference, ...]:
    """Say how a topic on the cluster differs from what it must be; nothing when it is right.

    More partitions than asked for are right, except where they would break order.
    """
    if found is None:
        return (Difference(spec.name, "missing", "topic", "exists", "missing"),)
    differences = []
    too_few = found.partitions < spec.partitions
    if too_few or (spec.fixed_partitions and found.partitions != spec.partitions):
        bound = "" if spec.fixed_partitions else "≥ "
        differences.append(
            Difference(
                spec.name,
                "partitions",
                "partitions",
                f"{bound}{spec.partitions}",
                str(found.partitions),
            )
        )
    for setting, expected in sorted(spec.config.items()):
        actual = found.config.get(setting, "")
        if actual != expected and not _keeps_longer(setting, expected, actual):
            differences.append(Difference(spec.name, "config", setting, expected, actual))
    return tuple(differences)


def _keeps_longer(setting: str, expected: str, actual: str) -> bool:
    """Whether records are kept for longer than they must be: nobody minds that."""
    if setting != "retention.ms" or expected == "-1":
        return False
    return actual == "-1" or (actual.isdigit() and int(actual) >= int(expected))


def compare_all(
    specs: Iterable[TopicSpec], found: Mapping[str, FoundTopic]
) -> tuple[Difference, ...]:
    """`compare` over every topic, in the order of the specs."""
    return tuple(diff for spec in specs for diff in compare(spec, found.get(spec.name)))


def partitions_to_want(
    asked: int | None, names: TopicNames, found: Mapping[str, FoundTopic]
) -> int:
    """How many partitions the topics that follow the input must have.

    A result goes to its input's partition, so an input that exists already sets the least.
    """
    events = found.get(names.events)
    existing = events.partitions if events is not None else 0
    if asked is None:
        return existing or DEFAULT_PARTITIONS
    return max(asked, existing)


@dataclass(frozen=True, slots=True)
class CreateResult:
    """What `create` did and what it found wrong with topics that were there before."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    differences: tuple[Difference, ...]


class TopicAdmin:
    """Asks a cluster about the system's topics and creates them. Use as ``async with``.

    Args:
        kafka: how to reach the cluster.
        limits: the bounds that topic sizes follow from; None reads ``MGEO_LIMITS``, as
            publishers and workers do.
    """

    def __init__(self, kafka: KafkaSettings, limits: Limits | None = None) -> None:
        self._kafka = kafka
        self._limits = limits or LimitSettings().limits
        self._admin = AIOKafkaAdminClient(**client_options(kafka))

    async def __aenter__(self) -> Self:
        try:
            await self._admin.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self._admin.close()
            refused = await refused_by(error, self._kafka)
            if refused is not None:
                raise refused from error
            raise BackendUnreachableError(
                f"Kafka does not answer at {self._kafka.kafka_bootstrap_servers}.",
                hint="Start a local broker with `mgeo up`, or set MGEO_KAFKA_BOOTSTRAP_SERVERS.",
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._admin.close()

    async def broker_count(self) -> int:
        """How many brokers the cluster lists."""
        return len((await self._admin.describe_cluster())["brokers"])

    async def api_versions(self) -> dict[int, tuple[int, int]]:
        """The API versions that a broker speaks: API key → (lowest, highest)."""
        client = AIOKafkaClient(**client_options(self._kafka))
        try:
            await client.bootstrap()
            response = await client.send(client.get_random_node(), ApiVersionRequest())
        finally:
            await client.close()
        return {key: (lowest, highest) for key, lowest, highest in response.api_versions}

    async def find(self, specs: Sequence[TopicSpec]) -> dict[str, FoundTopic]:
        """Look up those of the topics that exist, with the settings that their specs name.

        Raises:
            AccessRefusedError: this user may not even see one of them.
        """
        described = await self._admin.describe_topics([spec.name for spec in specs])
        check_visible(described, self._kafka)
        listed = {
            topic["topic"]: len(topic["partitions"])
            for topic in described
            if topic["error_code"] == 0
        }
        config = await self._configs([spec for spec in specs if spec.name in listed])
        return {
            name: FoundTopic(name, count, config.get(name, {})) for name, count in listed.items()
        }

    async def check(self, *, partitions: int | None = None) -> tuple[Difference, ...]:
        """Compare every standard topic with the cluster."""
        specs, found = await self._situation(partitions)
        return compare_all(specs, found)

    async def create(
        self, *, partitions: int | None = None, replication: int | None = None
    ) -> CreateResult:
        """Create the standard topics that are missing and compare those that exist.

        `replication` None takes three copies, or as many as there are brokers.
        """
        specs, found = await self._situation(partitions)
        if replication is None:
            replication = min(MAX_REPLICATION, await self.broker_count())
        missing = [spec for spec in specs if spec.name not in found]
        created = await self._create(missing, replication)
        existing = [spec for spec in specs if spec.name not in created]
        differences = compare_all(existing, await self.find(existing))
        return CreateResult(created, tuple(spec.name for spec in existing), differences)

    async def _situation(
        self, partitions: int | None
    ) -> tuple[tuple[TopicSpec, ...], dict[str, FoundTopic]]:
        names = self._kafka.names
        found = await self.find(standard_topics(names, limits=self._limits))
        wanted = partitions_to_want(partitions, names, found)
        return standard_topics(names, partitions=wanted, limits=self._limits), found

    async def _create(self, specs: Sequence[TopicSpec], replication: int) -> tuple[str, ...]:
        if not specs:
            return ()
        request = [
            NewTopic(spec.name, spec.partitions, replication, topic_configs=dict(spec.config))
            for spec in specs
        ]
        response = await self._admin.create_topics(request)
        created = []
        for name, code, message in response.topic_errors:
            error = for_code(code)
            if error is TopicAlreadyExistsError:  # somebody was faster: it is compared like others
                continue
            if (refused := refusal(error(name), self._kafka)) is not None:
                raise refused
            if code != 0:
                raise DeployError(
                    f"Kafka refused to create the topic {name}: {message or error.__name__}.",
                    hint="With fewer brokers than copies, lower --replication-factor.",
                )
            created.append(name)
        await self._wait_until_served([spec.name for spec in specs])
        return tuple(created)

    async def _wait_until_served(self, names: Sequence[str]) -> None:
        """Wait for what the controller has decided to reach the brokers: a moment or two."""
        deadline = time.monotonic() + SERVED_WITHIN_S
        while time.monotonic() < deadline:
            topics = await self._admin.describe_topics(list(names))
            leaders = [part["leader"] for topic in topics for part in topic["partitions"]]
            if all(topic["error_code"] == 0 for topic in topics) and min(leaders) >= 0:
                return
            await asyncio.sleep(0.02)
        raise DeployError(
            f"Kafka created the topics but did not serve them within {SERVED_WITHIN_S} s.",
            hint="Check the brokers' health, then run `mgeo topics check`.",
        )

    async def _configs(self, specs: Sequence[TopicSpec]) -> dict[str, dict[str, str]]:
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys(spec.config, ""))
            for spec in specs
            if spec.config
        ]
        if not resources:
            return {}
        found: dict[str, dict[str, str]] = {}
        for response in await self._admin.describe_configs(resources):
            for code, message, _kind, name, entries in response.resources:
                if (refused := refusal(for_code(code)(name), self._kafka)) is not None:
                    raise refused
                if code != 0:
                    raise DeployError(f"Kafka did not tell the settings of {name}: {message}")
                found[name] = {entry[0]: _text(entry[1]) for entry in entries}
        return found


def _text(value: Any) -> str:
    return "" if value is None else str(value)
