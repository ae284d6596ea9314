"""The gateway before real workers: which model answers, who gets which answer, and no other."""

from __future__ import annotations

import asyncio
import gc
import json

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from contracts.control import RolloutState, ServingSet
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams.gateway import RunningGateway, running_gateway
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

STABLE = instant.spec()
CANDIDATE = instant.spec("mgeo-instant-v2-20260201").model_copy(
    update={"digest": "sha256:" + "3" * 64}
)
PATIENT = {"timeout_ms": 60_000, "max_wait_ms": 60_000}
"""A busy machine is slow, not wrong."""


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(partitions=2)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


def serving(
    epoch: int, stable: ModelSpec, candidate: ModelSpec | None = None, share: float = 0.0
) -> RolloutState:
    return RolloutState(
        incarnation="test",
        revision=epoch,
        serving=ServingSet(
            stable=stable,
            candidate=candidate,
            share=share,
            serving_epoch=epoch,
            rollout_id="r" if candidate else "",
        ),
        phase="STAGING" if candidate else "PROMOTED",
    )


async def ask(
    gateway: RunningGateway, version: str | None, text: str = "上海路1号"
) -> httpx.Response:
    headers = {} if version is None else {"x-mgeo-version": version}
    async with gateway.client() as client:
        return await client.post("/parse", json={"address": text}, headers=headers)


async def until_answered_by(gateway: RunningGateway, version: str, model: ModelSpec) -> None:
    async with asyncio.timeout(60):
        while True:
            answer = await ask(gateway, version)
            if answer.headers.get("x-mgeo-model") == model.name:
                return
            await asyncio.sleep(0.1)


async def test_the_canary_header_is_answered_by_the_candidate_or_not_at_all(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, serving(1, STABLE))
    async with running_worker(stream) as worker, running_gateway(stream, **PATIENT) as gateway:
        await worker.ready()
        await gateway.warm()
        none = await ask(gateway, "canary")
        assert (none.status_code, none.json()["code"]) == (409, "no_candidate")

        await write_state(stream, serving(2, STABLE, CANDIDATE))
        await until_answered_by(gateway, "canary", CANDIDATE)

        for version, model, track in (
            (None, STABLE, "stable"),
            ("stable", STABLE, "stable"),
            (CANDIDATE.version, CANDIDATE, "canary"),
            (CANDIDATE.name, CANDIDATE, "canary"),
            (STABLE.name, STABLE, "stable"),
        ):
            found = await ask(gateway, version)
            assert found.status_code == 200, found.text
            assert found.headers["x-mgeo-model"] == model.name
            assert found.headers["x-mgeo-track"] == track
        unknown = await ask(gateway, "mgeo-instant-v3-20260301")
        assert (unknown.status_code, unknown.json()["code"]) == (409, "version_not_resident")
        assert STABLE.name in unknown.json()["detail"]


async def test_a_promotion_and_a_rollback_under_load_fail_nobody_and_never_mix_models(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, serving(1, STABLE))
    sets = [
        serving(2, STABLE, CANDIDATE),
        serving(3, STABLE, CANDIDATE, share=0.5),
        serving(4, CANDIDATE),
        serving(5, STABLE),
    ]
    answers: list[httpx.Response] = []
    stop = asyncio.Event()
    async with running_worker(stream) as worker, running_gateway(stream, **PATIENT) as gateway:
        await worker.ready()
        await gateway.warm()

        async def load(client: httpx.AsyncClient, name: int) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                body = {"addresses": [f"{name}路{number}号{part}室" for part in range(3)]}
                answers.append(await client.post("/parse/batch", json=body))

        async with gateway.client() as client:
            tasks = [asyncio.create_task(load(client, name)) for name in range(4)]
            for one in sets:
                await asyncio.sleep(1.5)
                await write_state(stream, one)
                await until_answered_by(gateway, "stable", one.serving.stable)
            await asyncio.sleep(1)
            stop.set()
            await asyncio.gather(*tasks)

    assert {one.status_code for one in answers} == {200}, [
        one.text for one in answers if one.status_code != 200
    ][:3]
    models = {one.headers["x-mgeo-model"] for one in answers}
    assert models == {STABLE.name, CANDIDATE.name}


async def test_what_is_answered_is_on_the_topic_of_results_once(stream: KafkaSettings) -> None:
    await write_state(stream, serving(1, STABLE))
    # The oracle compares with the topic of events.
    patient = {**PATIENT, "topic": "events"}
    async with running_worker(stream) as worker, running_gateway(stream, **patient) as gateway:
        await worker.ready()
        await gateway.warm()
        async with gateway.client() as client:
            found = await asyncio.gather(
                *(client.post("/parse", json={"address": f"{n}路"}) for n in range(50))
            )
        assert {one.status_code for one in found} == {200}
        await until_done(stream)
    assert violations(await look(stream)) == []


async def test_an_address_that_the_model_fails_on_is_told_and_the_others_are_answered(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, serving(1, STABLE))
    async with running_worker(stream) as worker, running_gateway(stream, **PATIENT) as gateway:
        await worker.ready()
        await gateway.warm()

        broken = await ask(gateway, None, instant.BROKEN_TEXT)
        async with gateway.client() as client:
            batch = await client.post(
                "/parse/batch", json={"addresses": ["甲路", instant.BROKEN_TEXT, "乙路"]}
            )

    assert (broken.status_code, broken.json()["code"]) == (500, "model_error")
    assert instant.BROKEN_TEXT not in json.dumps(broken.json(), ensure_ascii=False)
    assert [one["status"] for one in batch.json()["results"]] == ["ok", "error", "ok"]


async def test_a_reader_of_replies_that_breaks_costs_nobody_an_answer(
    stream: KafkaSettings,
) -> None:
    """It is opened again where it was; whoever asks meanwhile waits for it."""
    await write_state(stream, serving(1, STABLE))
    broken = 0

    async def breaks() -> None:
        nonlocal broken
        while broken < 8:  # on a slow machine each costs those who ask a second or more
            await asyncio.sleep(0.7)
            for one in gc.get_objects():
                if isinstance(one, AIOKafkaConsumer) and one._client._client_id == "mgeo-gateway":
                    broken += not one._closed
                    await one.stop()

    async def asks(gateway: RunningGateway, caller: int) -> list[int]:
        async with gateway.client() as client:
            return [
                (await client.post("/parse", json={"address": f"{caller}路{n}号"})).status_code
                for n in range(60)
            ]

    async with running_worker(stream) as worker, running_gateway(stream, **PATIENT) as gateway:
        await worker.ready()
        await gateway.warm()
        breaking = asyncio.create_task(breaks())
        try:
            found = await asyncio.gather(*(asks(gateway, caller) for caller in range(8)))
        finally:
            breaking.cancel()
            await asyncio.wait({breaking})
        assert set().union(*found) == {200}
        assert broken >= 2
