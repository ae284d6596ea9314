"""A worker inside the test's own loop, on the real broker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from consumer.parser.seams import AddressModel
from consumer.service.worker import SinkFactory, Worker
from consumer.settings import WorkerSettings
from consumer.stream.roles import Role, stable_role
from consumer.stream.sink import TransactionalSink
from contracts.control import RolloutState, encode_state
from contracts.limits import Limits
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from contracts.topics import CONTROL_KEY, TopicNames
from tests.models import instant
from tests.oracles.stream import look
from tests.streams.eventually import eventually


async def write_state(kafka: KafkaSettings, state: RolloutState | bytes) -> None:
    """Put a record on the control topic."""
    value = state if isinstance(state, bytes) else encode_state(state)
    async with AIOKafkaProducer(**client_options(kafka)) as producer:
        await producer.send_and_wait(kafka.names.control, value, key=CONTROL_KEY)


class RunningWorker:
    """A worker and the ways to look at it."""

    def __init__(self, task: asyncio.Task[None], stop: asyncio.Event) -> None:
        self.task = task
        self.stop = stop
        self.port = 0

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def ready(self, timeout_s: float = 30.0) -> None:
        said = ""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    if self.task.done():
                        self.task.result()
                    if self.port:
                        answer = await self.get("/readyz")
                        if answer.status_code == 200:
                            return
                        said = answer.text
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not ready within {timeout_s:g} s: {said}") from None

    async def metric(self, name: str) -> float:
        total = 0.0
        for line in (await self.get("/metrics")).text.splitlines():
            if line.startswith((f"{name} ", f"{name}{{")):
                total += float(line.rsplit(" ", 1)[1])
        return total


def settings_for_tests(**changes: object) -> WorkerSettings:
    """Small times, so that tests do not wait."""
    return WorkerSettings(
        **{  # type: ignore[arg-type]  # by name
            "port": 0,
            "session_timeout_ms": 6_000,
            "revoke_budget_ms": 2_000,
            "drain_budget_ms": 5_000,
            "version": instant.spec().version,
            **changes,
        }
    )


def unfenced_sinks(kafka: KafkaSettings, settings: WorkerSettings) -> SinkFactory:
    """Sinks whose transactional ids no other process shares: nobody is ever fenced.

    What the whole design rests on, taken away: with these the oracle must complain.
    """
    mine = uuid.uuid4().hex

    def make(
        partition: TopicPartition, consumer: AIOKafkaConsumer, group: str
    ) -> TransactionalSink:
        del consumer
        return TransactionalSink(
            partition,
            group=group,
            transactional_id=f"{kafka.topic_prefix}unfenced.{mine}.{partition.partition}",
            producer_options={
                **client_options(kafka),
                "acks": "all",
                "request_timeout_ms": settings.request_timeout_ms,
                "transaction_timeout_ms": settings.transaction_timeout_ms,
            },
        )

    return make


@asynccontextmanager
async def running_worker(
    kafka: KafkaSettings,
    *,
    load: Callable[[ModelSpec], AddressModel] | None = None,
    sink_factory: SinkFactory | None = None,
    role: Callable[[TopicNames, Limits], Role] = stable_role,
    **changes: object,
) -> AsyncIterator[RunningWorker]:
    """Run a worker; on leaving it is drained and must have ended well."""
    settings = settings_for_tests(**changes)
    worker = Worker(
        settings,
        kafka,
        role(kafka.names, settings.limits),
        load=load or instant.InstantModel,
        sink_factory=sink_factory,
    )
    stop = asyncio.Event()
    running = RunningWorker(asyncio.create_task(asyncio.sleep(0)), stop)
    running.task = asyncio.create_task(
        worker.run(stop, on_port=lambda port: setattr(running, "port", port))
    )
    try:
        yield running
    finally:
        stop.set()
        await asyncio.wait({running.task}, timeout=30)
    running.task.result()


async def until_done(kafka: KafkaSettings, timeout_s: float = 60.0) -> None:
    """Wait until the group has committed everything that is in the input topic."""

    async def caught_up() -> bool:
        return (await look(kafka)).caught_up

    await eventually(caught_up, "everything committed", timeout_s=timeout_s)
