"""What the fault tests share: a stream of their own, and workers that may be killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams.worker import write_state
from tests.streams.worker_process import WorkerProcess

Spawn = Callable[..., WorkerProcess]

PARTITIONS = 3


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    """A stream with a serving set, on the session's broker."""
    names = topics.create_standard(PARTITIONS)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    return stream


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start worker processes; whatever is left of them is killed after the test."""
    with ExitStack() as stack:

        def start(kafka: KafkaSettings, *arguments: str, name: str = "w") -> WorkerProcess:
            return stack.enter_context(
                WorkerProcess(
                    kafka.kafka_bootstrap_servers,
                    kafka.topic_prefix,
                    tmp_path,
                    *arguments,
                    name=name,
                )
            )

        yield start
