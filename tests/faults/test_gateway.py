"""The gateway when workers die in mid-request, and when very many ask at once."""

from __future__ import annotations

import asyncio
import itertools
import time

import httpx
import pytest

from contracts.settings import KafkaSettings
from tests.faults.conftest import Spawn
from tests.streams.gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.broker

PATIENT = {"timeout_ms": 60_000, "max_wait_ms": 60_000}
"""A busy machine is slow, not wrong."""


async def ask_many(
    gateways: list[RunningGateway], requests: int, callers: int
) -> tuple[list[str], dict[int, int]]:
    """Every request has a text of its own; what was wrong, and how often each status came."""
    wrong: list[str] = []
    statuses: dict[int, int] = {}
    numbers = iter(range(requests))

    async def caller(client: httpx.AsyncClient) -> None:
        for number in numbers:
            text = f"标签{number}号"
            began = time.monotonic()
            found = await client.post("/parse", json={"address": text})
            statuses[found.status_code] = statuses.get(found.status_code, 0) + 1
            if found.status_code == 200 and found.json()["poi"] != text:
                wrong.append(f"{number} got the answer of another")
            if time.monotonic() - began > 70:
                wrong.append(f"{number} hung")

    clients = [one.client() for one in gateways]
    try:
        await asyncio.gather(*(caller(client) for client in clients * callers))
    finally:
        for client in clients:
            await client.aclose()
    return wrong, statuses


@pytest.mark.fault
@pytest.mark.timeout(900)
async def test_of_ten_thousand_over_two_gateways_nobody_gets_anothers_answer_or_one_twice(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    worker = spawn(stream)
    await worker.ready()
    async with (
        running_gateway(stream, **PATIENT) as one,
        running_gateway(stream, **PATIENT) as other,
    ):
        for gateway in (one, other):
            await gateway.warm()

        wrong, statuses = await ask_many([one, other], 10_000, callers=30)

        assert wrong == []
        assert statuses == {200: 10_000}
        for gateway in (one, other):
            records = await gateway.metric("mgeo_gateway_record_addresses_count")
            async with gateway.client() as client:
                text = (await client.get("/metrics")).text
            assert f'mgeo_gateway_replies_total{{outcome="answered"}} {records}' in text
            assert 'mgeo_gateway_replies_total{outcome="late"} 0.0' in text
    assert worker.terminate() == 0


async def test_requests_in_hand_when_a_worker_is_killed_are_answered_by_another_or_end_in_time(
    stream: KafkaSettings, spawn: Spawn
) -> None:
    slow = ("--seconds-per-token", "0.0005")
    workers = [spawn(stream, *slow, name="a"), spawn(stream, *slow, name="b")]
    await asyncio.gather(*(worker.ready() for worker in workers))
    async with running_gateway(stream, **PATIENT) as gateway:
        await gateway.warm(workers=2)

        async def kill() -> None:
            for victim in itertools.islice(itertools.cycle((0, 1)), 2):
                await asyncio.sleep(1.5)
                workers[victim].kill()
                workers[victim] = spawn(stream, *slow, name="ab"[victim])
                await workers[victim].ready()

        (wrong, statuses), _ = await asyncio.gather(ask_many([gateway], 1500, callers=20), kill())

    assert wrong == []
    assert set(statuses) <= {200, 503, 504}
    assert statuses[200] > 1000
