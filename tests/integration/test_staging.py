"""A candidate on its way into production: held or refused, served by share, taken back."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaProducer

from consumer.parser.seams import AddressModel
from contracts.control import RolloutState
from contracts.errors import FatalError
from contracts.events import ParsedBatch
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import Phase
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.models.misbehaving import misbehaving
from tests.oracles.stream import look, violations
from tests.streams.eventually import eventually
from tests.streams.load import Load, record_of
from tests.streams.rollouts import CANDIDATE, memory_of, rollout_of, state_of
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

PARTITIONS = 4
BUSY = 3
"""Partitions that get traffic; the last one stays idle."""


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


def staged(
    revision: int, phase: Phase = Phase.STAGING, *, epoch: int = 2, share: float = 0.0
) -> RolloutState:
    return state_of(
        rollout_of(), phase, revision=revision, epoch=epoch, candidate=CANDIDATE, share=share
    )


async def publish(stream: KafkaSettings, records: int, first: int = 0) -> None:
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        for number in range(first, first + records):
            await producer.send_and_wait(
                stream.names.events,
                record_of(number, [(f"{number}-0", f"平安路{number}号")]),
                partition=number % BUSY,
            )


async def lanes(stream: KafkaSettings) -> list[OffsetMetadata]:
    memory = await memory_of(stream, stream.names.stable_group)
    return [said for _, said in memory.values()]


async def until_lanes(
    stream: KafkaSettings, epoch: int, refused: int = 0, refusal: str = ""
) -> None:
    """Wait until every partition, the idle one too, says exactly this."""

    async def by_all() -> bool:
        said = [(m.serving_epoch, m.refused_epoch, m.refusal) for m in await lanes(stream)]
        return said == [(epoch, refused, refusal)] * PARTITIONS

    await eventually(by_all, f"all partitions at {epoch}, refusing {refused or 'nothing'}")


async def results(stream: KafkaSettings) -> list[ParsedBatch]:
    return [
        ParsedBatch.model_validate_json(record.value)
        for record in await everything(stream, stream.names.parsed)
    ]


class Loader:
    """Loads what may be loaded."""

    def __init__(self, *refused: ModelSpec, error: Exception | None = None) -> None:
        self.refused = set(refused)
        self.error = error or FatalError("too large", code="model_too_large")
        self.loaded: list[str] = []

    def __call__(self, spec: ModelSpec) -> AddressModel:
        if spec in self.refused:
            raise self.error
        self.loaded.append(spec.version)
        return instant.InstantModel(spec)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FatalError("too large", code="model_too_large"), "model_too_large"),
        (MemoryError(), "model_too_large"),
        (RuntimeError("in its warm-up"), "model_load_failed"),
    ],
)
async def test_a_candidate_that_cannot_be_held_is_refused_by_every_lane_and_nothing_else_changes(
    stream: KafkaSettings, error: Exception, code: str
) -> None:
    loader = Loader(CANDIDATE, error=error)
    await write_state(stream, state_of(None, None, revision=1))
    async with running_worker(stream, load=loader) as worker:
        await worker.ready()
        await publish(stream, 9)
        await write_state(stream, staged(2))
        await until_lanes(stream, 1, refused=2, refusal=code)
        await publish(stream, 9, first=9)
        await until_done(stream)
        assert (await worker.get("/readyz")).status_code == 200
        assert {one.model.serving_epoch for one in await results(stream)} == {1}
        loader.refused.clear()  # memory has become free
        await until_lanes(stream, 2)
        await publish(stream, 9, first=18)
        await until_done(stream)
    assert violations(await look(stream)) == []
    served = await results(stream)
    assert {one.model.version for one in served} == {instant.spec().version}, "its share is 0"
    assert [one.model.serving_epoch for one in served].count(2) == 9


async def test_a_refusal_is_withdrawn_with_the_rollout(stream: KafkaSettings) -> None:
    await write_state(stream, state_of(None, None, revision=1))
    async with running_worker(stream, load=Loader(CANDIDATE)) as worker:
        await worker.ready()
        await write_state(stream, staged(2))
        await until_lanes(stream, 1, refused=2, refusal="model_too_large")
        await write_state(stream, state_of(rollout_of(), Phase.ABORTED, revision=3, epoch=3))
        await until_lanes(stream, 3)


async def test_a_partition_never_stands_still_for_want_of_a_candidate(
    stream: KafkaSettings,
) -> None:
    """It was already on the candidate's epoch when it came to a worker that cannot hold it."""
    await write_state(stream, staged(2, Phase.CANARY, share=1.0))
    async with running_worker(stream) as worker:
        await worker.ready()
        await publish(stream, 6)
        await until_done(stream)
    loader = Loader(CANDIDATE)
    async with running_worker(stream, load=loader) as worker:
        await until_lanes(stream, 2, refused=2, refusal="model_too_large")
        await worker.ready()
        await publish(stream, 6, first=6)
        await until_done(stream)
        loader.refused.clear()
        await until_lanes(stream, 2)
        await publish(stream, 6, first=12)
        await until_done(stream)
    assert violations(await look(stream)) == []
    served = await results(stream)
    assert {one.model.serving_epoch for one in served} == {2}
    by_number = {int(one.batch_id.removeprefix("b-")): one.model for one in served}
    tracks = [by_number[number].track for number in range(18)]
    assert tracks == ["canary"] * 6 + ["stable"] * 6 + ["canary"] * 6


@pytest.mark.parametrize("way", ["raises", "not_numbers", "device_out_of_memory"])
async def test_a_candidate_that_goes_wrong_costs_its_own_share_alone(
    stream: KafkaSettings, way: str
) -> None:
    def load(spec: ModelSpec) -> AddressModel:
        return misbehaving(spec, way) if spec == CANDIDATE else instant.InstantModel(spec)

    await write_state(stream, staged(2, Phase.CANARY, share=0.4))
    async with running_worker(stream, load=load) as worker:
        await worker.ready()
        await publish(stream, 40)
        await until_done(stream)
    assert violations(await look(stream)) == []
    errors = {
        track: {
            r.error
            for one in await results(stream)
            if one.model.track == track
            for r in one.results
        }
        for track in ("stable", "canary")
    }
    assert errors["stable"] == {None}
    assert None not in errors["canary"]
    assert errors["canary"], "none was routed to it"


async def test_promotion_and_rollback_under_load_lose_nothing_and_never_go_back_an_epoch(
    stream: KafkaSettings,
) -> None:
    old, loader = instant.spec(), Loader()
    await write_state(stream, state_of(None, None, revision=1))
    rollout = rollout_of()
    way = [
        staged(2, Phase.STAGING, epoch=2),
        staged(3, Phase.CANARY, epoch=3, share=0.3),
        staged(4, Phase.CANARY, epoch=4, share=0.7),
        state_of(rollout, Phase.CUTTING_OVER, revision=5, epoch=5, stable=CANDIDATE, previous=old),
        state_of(rollout, Phase.BAKING, revision=6, epoch=5, stable=CANDIDATE, previous=old),
        state_of(rollout, Phase.ROLLING_BACK, revision=7, epoch=6),
        state_of(rollout, Phase.ROLLED_BACK, revision=8, epoch=6),
    ]
    async with (
        running_worker(stream, load=loader) as first,
        Load(stream, partitions=BUSY, per_second=150.0) as load,
    ):
        await first.ready()
        for state in way[:3]:
            await write_state(stream, state)
            await until_lanes(stream, state.serving.serving_epoch)
        # Another joins late: partitions move while the epochs go on.
        async with running_worker(stream, load=loader) as second:
            await second.ready()
            for state in way[3:]:
                await write_state(stream, state)
                await until_lanes(stream, state.serving.serving_epoch)
                await asyncio.sleep(0.3)
        await load.stop()
        await until_done(stream)
        assert loader.loaded.count(old.version) == 2, "the way back was in memory all the time"
    assert violations(await look(stream)) == []
    epochs: dict[int, list[int]] = defaultdict(list)
    for one in sorted(await results(stream), key=lambda r: (r.origin.partition, r.origin.offset)):
        epochs[one.origin.partition].append(one.model.serving_epoch)
        wanted = {5: {CANDIDATE.version}, 1: {old.version}, 2: {old.version}, 6: {old.version}}
        assert one.model.version in wanted.get(
            one.model.serving_epoch, {old.version, CANDIDATE.version}
        )
    assert set(epochs) == set(range(BUSY))
    for found in epochs.values():
        assert found == sorted(found)
        assert {5, 6} <= set(found), "it was under load at the promotion and after the rollback"


async def test_a_worker_that_joins_late_serves_nothing_of_an_older_epoch(
    stream: KafkaSettings,
) -> None:
    await write_state(stream, state_of(None, None, revision=1))
    async with running_worker(stream) as worker:
        await worker.ready()
        await publish(stream, 6)
        await until_done(stream)
        await write_state(
            stream,
            state_of(rollout_of(), Phase.BAKING, revision=2, epoch=5, stable=CANDIDATE),
        )
        await until_lanes(stream, 5)
    await publish(stream, 6, first=6)
    async with running_worker(stream) as worker:
        await worker.ready()
        await publish(stream, 6, first=12)
        await until_done(stream)
    by_number = {int(one.batch_id.removeprefix("b-")): one.model for one in await results(stream)}
    assert [by_number[n].serving_epoch for n in range(18)] == [1] * 6 + [5] * 12
    assert {by_number[n].version for n in range(6, 18)} == {CANDIDATE.version}
