"""Two classes of traffic on one device: whoever waits overtakes, and nobody starves."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from contracts.headers import REPLY_TO, header
from contracts.replies import ReplyTo
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from deploy.ledger import Lane
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams.eventually import eventually
from tests.streams.load import record_of
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

PARTITIONS = 2
SLOW = 0.00002
"""Seconds for a token: a batch of 2,048 takes 40 ms, as on a processor."""


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    return stream


def slow_model(spec: ModelSpec) -> instant.InstantModel:
    return instant.InstantModel(spec, instant.InstantEncoder(SLOW))


async def publish(
    stream: KafkaSettings, topic: str, records: int, *, each: int, name: str, asked: bool = False
) -> None:
    async with AIOKafkaProducer(linger_ms=5, **client_options(stream)) as producer:
        sending = [
            await producer.send(
                topic,
                record_of(
                    number,
                    [(f"{name}{number}-{i}", f"{name}路{number}号{i}室") for i in range(each)],
                ),
                partition=number % PARTITIONS,
                headers=ReplyTo(0, "gateway1", f"{number}").headers() if asked else [],
            )
            for number in range(records)
        ]
        await asyncio.gather(*sending)


async def test_whoever_waits_is_answered_before_most_of_a_backlog_that_came_first(
    stream: KafkaSettings,
) -> None:
    names = stream.names
    backlog = 3000
    await publish(stream, names.events, backlog, each=5, name="积压")
    async with running_worker(stream, load=slow_model, cache_chars=0) as worker:
        await worker.ready()

        async def at_work() -> bool:
            return await worker.metric("mgeo_records_total") > 50

        await eventually(at_work, "the backlog is being worked on")
        await publish(stream, names.interactive, 10, each=1, name="急", asked=True)

        async def answered() -> bool:
            return len(await everything(stream, names.replies)) >= 10

        await eventually(answered, "all ten are answered", every_s=0.02)
        done = await worker.metric("mgeo_records_total")
        assert done < backlog / 2, f"{done:.0f} of {backlog} came first"
        # Less than the device is given at once: nothing else stood between them and it.
        await until_done(stream, timeout_s=120)
    seen = await look(stream)
    assert len(seen.results) == backlog + 10
    assert violations(seen) == []
    asked = {header(one.headers, REPLY_TO) for one in await everything(stream, names.replies)}
    assert asked == {f"0/gateway1/{number}".encode() for number in range(10)}


async def test_bulk_is_done_long_before_a_flood_of_those_who_wait(stream: KafkaSettings) -> None:
    names = stream.names
    flood = 4000
    await publish(stream, names.interactive, flood, each=5, name="急")
    await publish(stream, names.events, 60, each=5, name="积压")
    async with running_worker(stream, load=slow_model, cache_chars=0) as worker:
        await worker.ready()
        left = flood

        async def bulk_done() -> bool:
            nonlocal left
            seen = await look(stream)
            of_bulk = [lane for lane in seen.log_end if lane.topic == names.events]
            left = flood - sum(
                seen.committed.get(Lane(names.interactive, one), 0) for one in range(PARTITIONS)
            )
            return all(seen.committed.get(lane, 0) == seen.log_end[lane] for lane in of_bulk)

        await eventually(bulk_done, "bulk is done", every_s=0.02)
        assert left > flood / 4, f"bulk was done when only {left} of {flood} were left to wait"
        await until_done(stream, timeout_s=120)
    assert violations(await look(stream)) == []
