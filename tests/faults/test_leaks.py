"""Addresses are personal data: none in the logs, whatever goes wrong."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from contracts.settings import KafkaSettings, client_options
from producer import AddressPublisher
from tests.faults.conftest import Spawn
from tests.models.instant import BROKEN_TEXT, KILLER_TEXT
from tests.streams.worker import until_done, write_state

pytestmark = pytest.mark.broker

CANARY = "金丝雀路七七四九号"


async def test_no_address_is_in_the_logs_of_a_worker_that_fails_and_dies(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    worker = spawn(stream)
    await worker.ready()
    async with AddressPublisher(stream) as publisher:
        await publisher.publish([CANARY, f"{CANARY}二", BROKEN_TEXT], source="s", key=CANARY)
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        await producer.send_and_wait(stream.names.events, f"{{{CANARY}".encode())
    await until_done(stream)
    await write_state(stream, f'{{"incarnation": "{CANARY}"}}'.encode())
    async with AddressPublisher(stream) as publisher:
        await publisher.publish([f"{CANARY}三", KILLER_TEXT])
    assert await worker.ended() == 9
    log = worker.log.read_text()
    assert "lane open" in log, "it does log"
    assert "control_corrupt" in log, "and says what was wrong"
    for secret in (CANARY, BROKEN_TEXT, CANARY.encode("unicode_escape").decode()):
        assert secret not in log
