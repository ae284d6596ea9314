"""Candidates that take their process with them: evidence in the shadow, nothing to production."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from consumer.parser.seams import AddressModel
from contracts.control import RolloutState
from contracts.events import AddressResult, ParsedBatch, ShadowPair
from contracts.phases import Phase
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from tests.brokers.admin import TopicFactory
from tests.faults.conftest import PARTITIONS, Spawn
from tests.models import instant, spoilt
from tests.models.instant import KILLER_TEXT
from tests.models.misbehaving import WAYS
from tests.models.spoilt import starter
from tests.oracles.results import differences
from tests.oracles.stream import look, violations
from tests.streams.eventually import eventually
from tests.streams.load import record_of
from tests.streams.rollouts import memory_of, pairs_of, rollout_of, state_of
from tests.streams.topic import everything
from tests.streams.worker import (
    RunningWorker,
    running_worker,
    settings_for_tests,
    until_done,
    write_state,
)
from tests.streams.worker_process import WorkerProcess

pytestmark = pytest.mark.broker

RECORDS = 30
KILLER_AT = 13
ROLLOUT = rollout_of(from_offsets=dict.fromkeys(range(PARTITIONS), 0))


async def publish(stream: KafkaSettings) -> None:
    """Records round-robin over the partitions; one holds the text that kills the candidate."""
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        for number in range(RECORDS):
            second = KILLER_TEXT if number == KILLER_AT else "中山路1号"
            value = record_of(
                number, [(f"{number}-0", f"平安路{number}号"), (f"{number}-1", second)]
            )
            await producer.send_and_wait(stream.names.events, value, partition=number % PARTITIONS)


async def shadowed(stream: KafkaSettings) -> bool:
    """Whether the shadow has passed every record."""
    memory = await memory_of(stream, stream.names.shadow_group(ROLLOUT.rollout_id))
    passed = sum(offset for offset, _ in memory.values())
    return passed == RECORDS


@pytest.mark.parametrize(
    ("way", "exit_code", "settings"),
    [
        ("dies", 9, ()),
        pytest.param("breaks", 70, (), marks=pytest.mark.fault),
        pytest.param("hangs", 75, ("--setting", "device_hang_ms=1500"), marks=pytest.mark.fault),
    ],
)
async def test_a_record_that_takes_the_candidate_down_is_told_of_at_its_fourth_start(
    stream: KafkaSettings, spawn: Spawn, way: str, exit_code: int, settings: tuple[str, ...]
) -> None:
    await write_state(stream, state_of(ROLLOUT, Phase.SHADOWING, revision=2))
    await publish(stream)
    arguments = ("--role", "shadow", "--candidate", way, *settings)
    worker, ended = spawn(stream, *arguments), 0

    async def restarted_until_done() -> bool:
        nonlocal worker, ended
        if not worker.alive:
            ended += 1
            assert worker.process.returncode == exit_code, worker.tail()
            worker = spawn(stream, *arguments)
        return await shadowed(stream)

    await eventually(restarted_until_done, "the killer is out of the way", timeout_s=240)
    assert worker.terminate() == 0, worker.tail()
    assert ended == 3
    pairs = await pairs_of(stream)
    by_origin = {pair.origin.id: pair for pair in pairs}
    assert len(by_origin) == RECORDS
    crashed = [pair for pair in by_origin.values() if pair.candidate.error]
    assert [pair.candidate.error for pair in crashed] == ["candidate_crashed"]
    assert crashed[0].origin.partition == KILLER_AT % PARTITIONS
    assert crashed[0].candidate.results == crashed[0].reference.results == ()
    assert all(len(pair.reference.results) == 2 for pair in pairs if pair is not crashed[0])
    assert await everything(stream, stream.names.dead_letters) == []


@asynccontextmanager
async def _kept_running(start: Callable[[], WorkerProcess]) -> AsyncIterator[None]:
    """A process that is started again whenever it dies."""

    async def watch() -> None:
        worker = start()
        while True:
            if not worker.alive:
                worker = start()
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _production(stream: KafkaSettings) -> dict[str, list[dict[str, Any]]]:
    """What production said of every record."""
    found = {}
    for record in await everything(stream, stream.names.parsed):
        parsed = ParsedBatch.model_validate_json(record.value)
        found[parsed.batch_id] = [one.model_dump() for one in parsed.results]
    return found


@pytest.mark.parametrize(
    "way", ["dies", *(pytest.param(way, marks=pytest.mark.fault) for way in ("hangs", *WAYS))]
)
async def test_production_is_the_same_with_a_bad_candidate_in_the_shadow_as_without_any(
    kafka: KafkaSettings, topics: TopicFactory, stream: KafkaSettings, spawn: Spawn, way: str
) -> None:
    alone = kafka.model_copy(update={"topic_prefix": topics.create_standard(PARTITIONS).prefix})
    await write_state(alone, state_of(None, None, revision=1))
    await publish(alone)
    async with running_worker(alone, load=_immune):
        await until_done(alone)
    await write_state(stream, state_of(ROLLOUT, Phase.SHADOWING, revision=2))

    def start() -> WorkerProcess:
        return spawn(
            stream, "--role", "shadow", "--candidate", way, "--setting", "device_hang_ms=1500"
        )

    async with _kept_running(start), running_worker(stream, load=_immune):
        await publish(stream)
        await until_done(stream)
        await eventually(lambda: shadowed(stream), "the shadow got through", timeout_s=120)
    assert violations(await look(stream)) == []
    assert await _production(stream) == await _production(alone)
    assert len(await _production(alone)) == RECORDS


@pytest.fixture
async def real_stream(stream: KafkaSettings) -> KafkaSettings:
    """A stream served by the first starter release, with the second in the shadow."""
    await write_state(stream, _real_state(Phase.SHADOWING))
    return stream


def _real_state(phase: Phase | None, *, candidate: ModelSpec | None = None) -> RolloutState:
    rollout = rollout_of(
        from_offsets=dict.fromkeys(range(PARTITIONS), 0),
        reference=starter(spoilt.STABLE),
        candidate=starter(spoilt.CANDIDATE),
    )
    return state_of(
        rollout if phase else None,
        phase,
        revision=2,
        epoch=2,
        stable=starter(spoilt.STABLE),
        candidate=candidate,
    )


@pytest.fixture
async def without_a_rollout(
    kafka: KafkaSettings, topics: TopicFactory
) -> dict[str, list[dict[str, Any]]]:
    """What the first starter release makes of the same records when nothing else is going on."""
    alone = kafka.model_copy(update={"topic_prefix": topics.create_standard(PARTITIONS).prefix})
    await write_state(alone, _real_state(None))
    await publish(alone)
    async with _real_worker(alone):
        await until_done(alone)
    return await _production(alone)


def _real_worker(
    stream: KafkaSettings, way: str = ""
) -> AbstractAsyncContextManager[RunningWorker]:
    loading = settings_for_tests(device="cpu", version=spoilt.STABLE, warm_up=False)
    return running_worker(
        stream,
        load=spoilt.starters(loading, way),
        device="cpu",
        version=spoilt.STABLE,
        precision="fp32",
        warm_up=False,
    )


@pytest.mark.fault
@pytest.mark.timeout(500)
@pytest.mark.parametrize("way", spoilt.SPOILT_WAYS)
async def test_a_real_model_serves_the_same_with_a_bad_one_in_the_shadow(
    real_stream: KafkaSettings,
    without_a_rollout: dict[str, list[dict[str, Any]]],
    spawn: Spawn,
    way: str,
) -> None:
    arguments = ("--role", "shadow", "--starters", "--candidate", way)
    settings = ("device_hang_ms=10000", "precision=fp32", "warm_up=false")
    options = [word for one in settings for word in ("--setting", one)]

    def start() -> WorkerProcess:
        return spawn(real_stream, *arguments, *options)

    async with _kept_running(start), _real_worker(real_stream):
        await publish(real_stream)
        await until_done(real_stream)
        await eventually(lambda: shadowed(real_stream), "the shadow got through", timeout_s=300)
    assert violations(await look(real_stream)) == []
    assert differences(await _production(real_stream), without_a_rollout) == []
    assert len(without_a_rollout) == RECORDS
    pairs = {pair.origin.id: pair for pair in await pairs_of(real_stream)}
    assert len(pairs) == RECORDS
    wrong = [pair for pair in pairs.values() if _went_wrong(pair)]
    assert len(wrong) == (1 if way in spoilt.DEADLY else RECORDS), "the candidate was that bad"


def _went_wrong(pair: ShadowPair) -> bool:
    if pair.candidate.error:
        return True
    said, wanted = pair.candidate.results, pair.reference.results
    return any(one.status == "error" for one in said) or _spans(said) != _spans(wanted)


def _spans(results: Sequence[AddressResult]) -> list[list[tuple[str, int, int]]]:
    return [[(c.type, c.start, c.end) for c in one.components] for one in results]


@pytest.mark.fault
async def test_a_real_model_serves_the_same_where_the_candidate_is_too_big_to_be_resident(
    real_stream: KafkaSettings, without_a_rollout: dict[str, list[dict[str, Any]]]
) -> None:
    """Staged, that is: in the shadow it is the shadow's memory that is too small."""
    staging = _real_state(Phase.STAGING, candidate=starter(spoilt.CANDIDATE))
    await write_state(real_stream, staging.model_copy(update={"revision": 3}))
    async with _real_worker(real_stream, "too_big"):
        await publish(real_stream)
        await until_done(real_stream)

        async def refused() -> bool:
            notes = await memory_of(real_stream, real_stream.names.stable_group)
            return {note.refusal for _, note in notes.values()} == {"model_too_large"}

        await eventually(refused, "every partition says that it cannot hold the candidate")
    assert violations(await look(real_stream)) == []
    assert differences(await _production(real_stream), without_a_rollout) == []


def test_another_answer_would_be_noticed() -> None:
    """The negative control of the comparison, confidences and all."""
    component = {"type": "poi", "text": "a", "start": 0, "end": 1, "confidence": 0.5}
    one = {"id": "1", "status": "ok", "confidence": 0.9, "components": [component]}
    assert differences({"b": [one]}, {"b": [{**one, "confidence": 0.9009}]}) == []
    for other in (
        {**one, "confidence": 0.902},
        {**one, "status": "error"},
        {**one, "components": [{**component, "confidence": 0.502}]},
        {**one, "components": [{**component, "end": 2}]},
        {**one, "components": []},
    ):
        assert differences({"b": [one]}, {"b": [other]}) != []
    assert differences({"b": [one]}, {}) != []
    assert differences({"b": [one]}, {"b": [one, one]}) != []


def _immune(spec: ModelSpec) -> AddressModel:
    return instant.InstantModel(spec, instant.InstantEncoder(immune=True))
