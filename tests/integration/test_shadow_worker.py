"""Shadow workers: pairs for the sample, nothing anywhere else, from one rollout to the next."""

from __future__ import annotations

import json

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from consumer.parser.seams import AddressModel
from consumer.service.loading import model_loader
from consumer.store import open_store
from consumer.store.first_spec import spec_of
from consumer.stream.shadow import shadow_role
from contracts.errors import FatalError
from contracts.events import ShadowPair
from contracts.phases import Phase
from contracts.rollout import Rollout
from contracts.routing import in_shadow
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from producer import AddressPublisher
from producer.topic_log import TopicLog
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.models.misbehaving import WAYS, misbehaving
from tests.streams.eventually import eventually
from tests.streams.rollouts import CANDIDATE, memory_of, pairs_of, rollout_of, state_of
from tests.streams.topic import everything
from tests.streams.worker import (
    RunningWorker,
    running_worker,
    settings_for_tests,
    write_state,
)

pytestmark = pytest.mark.broker

PARTITIONS = 3


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def publish(stream: KafkaSettings, records: int, *texts: str) -> None:
    async with AddressPublisher(stream) as publisher:
        for number in range(records):
            await publisher.publish([f"和平路{number}号", *texts], key=f"k{number}")


async def delete_before(stream: KafkaSettings, offsets: dict[int, int]) -> None:
    """What retention does: records below these offsets are gone."""
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(stream.names.events, partition): RecordsToDelete(
                    before_offset=offset
                )
                for partition, offset in offsets.items()
            }
        )
    finally:
        await admin.close()


async def ends(stream: KafkaSettings) -> dict[int, int]:
    async with TopicLog(stream, stream.names.events) as log:
        return await log.ends()


async def until_shadowed(stream: KafkaSettings, rollout: Rollout) -> None:
    """Wait until the shadow group has passed everything that is in the input now."""
    wanted = await ends(stream)

    async def passed() -> bool:
        memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
        return all(memory.get(p, (-1, None))[0] >= end for p, end in wanted.items() if end > 0)

    await eventually(passed, "the shadow has seen everything")


async def until_warm(stream: KafkaSettings, rollout: Rollout) -> None:
    async def warm() -> bool:
        memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
        return [one.serving_epoch for _, one in memory.values()] == (
            [rollout.started_revision] * PARTITIONS
        )

    await eventually(warm, "every partition says that the shadow is warm")


async def reason(worker: RunningWorker) -> str:
    return str(json.loads((await worker.get("/readyz")).text).get("reason", ""))


async def until_reason(worker: RunningWorker, text: str) -> None:
    async def says() -> bool:
        return bool(worker.port) and text in await reason(worker)

    await eventually(says, f"/readyz says: {text}")


def places(pairs: list[ShadowPair]) -> list[tuple[int, int]]:
    return sorted((pair.origin.partition, pair.origin.offset) for pair in pairs)


async def inputs(stream: KafkaSettings) -> list[tuple[int, int]]:
    return sorted((r.partition, r.offset) for r in await everything(stream, stream.names.events))


@pytest.mark.parametrize("share", [1.0, 0.3])
async def test_every_record_of_the_sample_becomes_one_pair_and_all_offsets_are_passed(
    stream: KafkaSettings, share: float
) -> None:
    rollout = rollout_of(share=share)
    async with running_worker(stream, role=shadow_role) as worker:
        await until_reason(worker, "waiting for a rollout")
        await write_state(stream, state_of(rollout, Phase.WARMING, revision=2))
        await until_warm(stream, rollout)
        await worker.ready()
        await publish(stream, 60)
        await until_shadowed(stream, rollout)
        assert (await worker.get("/livez")).status_code == 200
    pairs = await pairs_of(stream)
    sampled = [one for one in await inputs(stream) if in_shadow(rollout.rollout_id, *one, share)]
    assert places(pairs) == sampled
    assert 0 < len(sampled) <= 60
    for pair in pairs:
        assert pair.rollout_id == rollout.rollout_id
        assert pair.input_ms is not None
        assert pair.batch is not None
        assert pair.candidate.model.version == CANDIDATE.version
        assert (pair.candidate.model.track, pair.reference.model.track) == ("canary", "stable")
        assert pair.candidate.results == pair.reference.results
        assert pair.candidate.device_ms > 0 < pair.reference.device_ms
    assert {pair.batch.order for pair in pairs if pair.batch} == {
        "candidate_first",
        "reference_first",
    }
    assert await everything(stream, stream.names.parsed) == []
    assert await everything(stream, stream.names.dead_letters) == []
    assert await memory_of(stream, stream.names.stable_group) == {}


async def test_a_shadow_begins_where_the_rollout_says_and_answers_each_repeat_anew(
    stream: KafkaSettings,
) -> None:
    await publish(stream, 30, "中山路1号")
    begin = {p: end // 2 for p, end in (await ends(stream)).items()}
    rollout = rollout_of(from_offsets=begin)
    await write_state(stream, state_of(rollout, Phase.SHADOWING, revision=2, epoch=7))
    async with running_worker(stream, role=shadow_role, cache_chars=10_000) as worker:
        await until_shadowed(stream, rollout)
        await publish(stream, 6, "中山路1号")  # known by now, were it remembered
        await until_shadowed(stream, rollout)
        assert await worker.metric("mgeo_cache_hits_total") == 0
    pairs = await pairs_of(stream)
    assert places(pairs) == [(p, o) for p, o in await inputs(stream) if o >= begin[p]]
    assert all(pair.batch is not None for pair in pairs)
    assert {pair.candidate.model.serving_epoch for pair in pairs} == {7}


async def test_one_rollout_after_another_needs_no_restart_and_frees_what_it_held(
    stream: KafkaSettings,
) -> None:
    loaded: list[str] = []

    def load(spec: ModelSpec) -> AddressModel:
        loaded.append(spec.version)
        return instant.InstantModel(spec)

    third = instant.spec("mgeo-instant-v3-20260301")
    first = rollout_of(1)
    async with running_worker(stream, role=shadow_role, load=load) as worker:
        await write_state(stream, state_of(first, Phase.SHADOWING, revision=2))
        await publish(stream, 10)
        await until_shadowed(stream, first)
        await write_state(stream, state_of(first, Phase.ABORTED, revision=3))
        await until_reason(worker, "waiting for a rollout")
        await publish(stream, 10)  # nobody's evidence
        middle = await ends(stream)
        second = rollout_of(2, candidate=third, from_offsets=middle, started_revision=4)
        await write_state(stream, state_of(second, Phase.WARMING, revision=4))
        await until_warm(stream, second)
        await publish(stream, 10)
        await until_shadowed(stream, second)
        # And straight into a third, without a pause between them.
        last = rollout_of(3, from_offsets=await ends(stream), started_revision=5)
        await write_state(stream, state_of(last, Phase.WARMING, revision=5))
        await until_warm(stream, last)
        await publish(stream, 10)
        await until_shadowed(stream, last)
    pairs = await pairs_of(stream)
    by_rollout = {
        number: [p for p in pairs if p.rollout_id == f"r-{number}"] for number in (1, 2, 3)
    }
    assert [len(found) for found in by_rollout.values()] == [10, 10, 10]
    assert {pair.candidate.model.version for pair in by_rollout[2]} == {third.version}
    assert all(pair.origin.offset >= middle[pair.origin.partition] for pair in by_rollout[2])
    # The reference was let go while there was no rollout; it stayed from the second to the third.
    assert loaded.count(instant.spec().version) == 2
    assert loaded.count(CANDIDATE.version) == 2


@pytest.mark.parametrize("way", WAYS)
async def test_a_candidate_that_goes_wrong_is_alone_in_it(stream: KafkaSettings, way: str) -> None:
    rollout = rollout_of()

    def load(spec: ModelSpec) -> AddressModel:
        return misbehaving(spec, way) if spec == CANDIDATE else instant.InstantModel(spec)

    await write_state(stream, state_of(rollout, Phase.SHADOWING, revision=2))
    async with running_worker(stream, role=shadow_role, load=load):
        await publish(stream, 12)
        await until_shadowed(stream, rollout)
    pairs = await pairs_of(stream)
    assert len(pairs) == 12
    for pair in pairs:
        assert pair.candidate.error is None
        assert [one.error for one in pair.candidate.results] == [WAYS[way][1]]
        assert [one.status for one in pair.reference.results] == ["ok"]


async def test_a_candidate_that_cannot_be_held_is_told_of_beside_the_offsets_until_it_can(
    stream: KafkaSettings,
) -> None:
    rollout = rollout_of(from_offsets=dict.fromkeys(range(PARTITIONS), 0))
    fits: list[bool] = []

    def load(spec: ModelSpec) -> AddressModel:
        if spec == CANDIDATE and not fits:
            raise FatalError("too large", code="model_too_large")
        return instant.InstantModel(spec)

    await write_state(stream, state_of(rollout, Phase.WARMING, revision=2))
    await publish(stream, 6)
    async with running_worker(stream, role=shadow_role, load=load) as worker:

        async def refused() -> bool:
            memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
            said = [(one.refused_epoch, one.refusal) for _, one in memory.values()]
            return said == [(2, "model_too_large")] * PARTITIONS

        await eventually(refused, "every partition says no, and why")
        await until_reason(worker, "model_too_large")
        assert await pairs_of(stream) == []
        assert await worker.metric("mgeo_refusals_total") >= 1
        fits.append(True)
        await until_warm(stream, rollout)
        memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
        assert {one.refusal for _, one in memory.values()} == {""}
        await until_shadowed(stream, rollout)
    assert len(await pairs_of(stream)) == 6


async def test_lost_records_end_no_shadow_they_are_told_of(stream: KafkaSettings) -> None:
    await publish(stream, 30)
    await delete_before(stream, {0: 3})
    rollout = rollout_of(from_offsets=dict.fromkeys(range(PARTITIONS), 0))
    await write_state(stream, state_of(rollout, Phase.SHADOWING, revision=2))
    async with running_worker(stream, role=shadow_role) as worker:

        async def told() -> bool:
            memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
            kept = memory.get(0)
            return kept is not None and kept[1].refusal == "records_lost"

        await eventually(told, "the partition says what is wrong with it")
        await until_reason(worker, "records_lost")
        assert (await worker.get("/livez")).status_code == 200

        async def others_done() -> bool:
            memory = await memory_of(stream, stream.names.shadow_group(rollout.rollout_id))
            wanted = await ends(stream)
            return all(memory[p][0] >= wanted[p] for p in (1, 2))

        await eventually(others_done, "the other partitions go on")
        await write_state(stream, state_of(rollout, Phase.INCONCLUSIVE, revision=3))
        await until_reason(worker, "waiting for a rollout")
    assert {pair.origin.partition for pair in await pairs_of(stream)} == {1, 2}


async def test_a_record_that_cannot_be_read_is_evidence_and_no_dead_letter(
    stream: KafkaSettings,
) -> None:
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        for value in (b"{no", b"[]"):
            await producer.send_and_wait(stream.names.events, value, partition=0, key=b"k")
    rollout = rollout_of()
    await write_state(stream, state_of(rollout, Phase.SHADOWING, revision=2))
    async with running_worker(stream, role=shadow_role) as worker:
        await until_shadowed(stream, rollout)
        assert await worker.metric('mgeo_records_total{outcome="unreadable"}') == 2
    pairs = await pairs_of(stream)
    assert [pair.candidate.error for pair in pairs] == ["not_json", "not_an_object"]
    assert [pair.reference.error for pair in pairs] == ["not_json", "not_an_object"]
    assert all(pair.batch is None and not pair.candidate.results for pair in pairs)
    assert await everything(stream, stream.names.dead_letters) == []


async def test_partitions_move_between_shadows_and_no_record_is_missed(
    stream: KafkaSettings,
) -> None:
    """At least once: a repeat is allowed, a hole is not."""
    rollout = rollout_of()
    await write_state(stream, state_of(rollout, Phase.SHADOWING, revision=2))
    async with running_worker(stream, role=shadow_role):
        await publish(stream, 60)
        async with running_worker(stream, role=shadow_role):
            await publish(stream, 60)
            await until_shadowed(stream, rollout)
    assert set(places(await pairs_of(stream))) == set(await inputs(stream))


async def test_two_real_releases_run_side_by_side(stream: KafkaSettings) -> None:
    settings = settings_for_tests(device="cpu", version="mgeo-starter-v1-20260915")
    store = open_store(settings)
    rollout = rollout_of(
        reference=spec_of(store, "mgeo-starter-v1-20260915", settings),
        candidate=spec_of(store, "mgeo-starter-v2-20261015", settings),
    )
    state = state_of(rollout, Phase.SHADOWING, revision=2, stable=rollout.reference)
    await write_state(stream, state)
    async with running_worker(stream, role=shadow_role, load=model_loader(settings)) as worker:
        async with AddressPublisher(stream) as publisher:
            await publisher.publish(["浙江省杭州市余杭区文一西路969号", "  ", "北京市海淀区" * 60])
            await publisher.publish(["上海市浦东新区张江路1弄2号301室"])
        await until_shadowed(stream, rollout)
        spent = [
            await worker.metric(f'mgeo_device_seconds_total{{spec="{spec.key}"}}')
            for spec in (rollout.candidate, rollout.reference)
        ]
    assert min(spent) > 0
    pairs = await pairs_of(stream)
    assert len(pairs) == 2
    for pair in pairs:
        for side, spec in (
            (pair.candidate, rollout.candidate),
            (pair.reference, rollout.reference),
        ):
            assert (side.model.version, side.model.digest) == (spec.version, spec.digest)
            assert side.model.fingerprint == spec.fingerprint
            for one in side.results:
                assert (one.error == "empty_text") == (one.text == "  ")
                assert one.status == "error" or one.address["city"] in (
                    "杭州市",
                    "北京市",
                    "上海市",
                )
