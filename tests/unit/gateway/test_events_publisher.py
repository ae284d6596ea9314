"""``/events`` gets a new publisher when Kafka takes nothing more from the one that it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import errors as kafka_errors

from contracts.errors import MgeoError
from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer.gateway.bodies import events_request
from producer.gateway.service import Gateway
from producer.gateway.settings import GatewaySettings
from tests.streams.eventually import eventually

ASKED = events_request('{"addresses":["某路1号"]}'.encode(), Limits())


class Broker:
    """Kafka as a producer meets it: a refusal spends a sequence number for good."""

    def __init__(self) -> None:
        self.made: list[Producer] = []
        self.answer: type[Exception] | None = None
        self.opens = True

    def producer(self, **_: Any) -> Producer:
        self.made.append(Producer(self))
        return self.made[-1]


class Producer:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._gap = False

    async def start(self) -> None:
        if not self._broker.opens:
            raise kafka_errors.ClusterAuthorizationFailedError

    async def stop(self) -> None:
        pass

    async def partitions_for(self, _: str) -> set[int]:
        return {0}

    async def send(self, *_: Any, **__: Any) -> asyncio.Future[Any]:
        confirmation: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._gap:
            confirmation.set_exception(kafka_errors.OutOfOrderSequenceNumber())
        elif self._broker.answer is not None:
            self._gap = True
            confirmation.set_exception(self._broker.answer())
        else:
            confirmation.set_result(SimpleNamespace(topic="t", partition=0, offset=1))
        return confirmation


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr("producer.publisher.AIOKafkaProducer", broker.producer)
    monkeypatch.setattr("producer.gateway.service._EVENTS_AGAIN_S", 0.01)
    return broker


@pytest.fixture
async def gateway(broker: Broker) -> AsyncIterator[Gateway]:
    assert not broker.made
    gateway = Gateway(GatewaySettings(), KafkaSettings(), Limits())
    keeping = asyncio.create_task(gateway._keep_publisher())
    await answered(gateway, "202")
    yield gateway
    assert not keeping.done()
    keeping.cancel()
    await asyncio.wait({keeping})


async def asked(gateway: Gateway) -> str:
    try:
        await gateway.publish(ASKED, time.monotonic() + 5, None)
    except MgeoError as error:
        return error.code
    return "202"


async def answered(gateway: Gateway, code: str) -> None:
    async def said() -> bool:
        return await asked(gateway) == code

    await eventually(said, code, timeout_s=5, every_s=0.01)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (kafka_errors.TopicAuthorizationFailedError, "not_authorized"),
        (kafka_errors.InvalidProducerEpoch, "kafka_error"),
    ],
)
async def test_what_kafka_refused_for_a_moment_is_taken_again(
    gateway: Gateway, broker: Broker, answer: type[Exception], code: str
) -> None:
    broker.answer = answer
    assert await asked(gateway) == code
    broker.answer = None

    await answered(gateway, "202")
    assert [await asked(gateway) for _ in range(3)] == ["202"] * 3
    assert len(broker.made) == 2


async def test_until_there_is_a_new_one_callers_are_told_to_come_back(
    gateway: Gateway, broker: Broker
) -> None:
    broker.answer, broker.opens = kafka_errors.TopicAuthorizationFailedError, False
    assert await asked(gateway) == "not_authorized"
    await answered(gateway, "backend_unreachable")
    await asyncio.sleep(0.1)  # it is refused again and again, and does not end for that
    assert await asked(gateway) == "backend_unreachable"
    broker.answer, broker.opens = None, True

    await answered(gateway, "202")


async def test_many_failures_of_one_publisher_replace_it_once(
    gateway: Gateway, broker: Broker
) -> None:
    broker.answer = kafka_errors.TopicAuthorizationFailedError
    found = await asyncio.gather(*(asked(gateway) for _ in range(20)))
    broker.answer = None
    assert set(found) == {"not_authorized", "kafka_error"}

    await answered(gateway, "202")
    assert len(broker.made) == 2


async def test_a_gateway_that_is_refused_from_the_beginning_ends(broker: Broker) -> None:
    broker.opens = False
    gateway = Gateway(GatewaySettings(), KafkaSettings(), Limits())

    with pytest.raises(MgeoError) as caught:
        async with asyncio.timeout(5):
            await gateway._keep_publisher()
    assert caught.value.code == "not_authorized"
