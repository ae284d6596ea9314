"""What `docs/operations/disaster.md` tells people to do, done to a real system that is running.

Kafka's own scripts are not at hand in a test: where a page says `kafka-topics.sh --delete` or
`kafka-consumer-groups.sh --reset-offsets`, the same request is sent by a client.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from confluent_kafka.admin import AdminClient

from contracts.settings import KafkaSettings, client_options
from deploy.local import LocalBroker
from tests.brokers.admin import TopicFactory
from tests.faults.conftest import Spawn
from tests.models.tiny import write_tiny_checkpoint
from tests.oracles.stream import look, result_of, violations
from tests.streams import controller as c
from tests.streams.command import Mgeo, MgeoOn, environment
from tests.streams.concurrent_reader import ConcurrentReader
from tests.streams.eventually import eventually
from tests.streams.judgement import complaints
from tests.streams.load import Load, record_of
from tests.streams.rollouts import memory_of
from tests.streams.topic import everything
from tests.streams.worker import until_done, write_state
from tests.streams.worker_process import WorkerProcess

pytestmark = [pytest.mark.broker, pytest.mark.fault, pytest.mark.timeout(400)]

PARTITIONS = 3
SERVES = "mgeo-starter-v1-20260915"
TOPICS = ("events", "interactive", "parsed", "replies", "dead_letters", "shadow")


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    """A name for a system that is not there yet; its topics are gone after the test."""
    stream = kafka.model_copy(update={"topic_prefix": f"{topics.unique('sys')}."})
    names = stream.names
    topics.forget(*(getattr(names, one) for one in (*TOPICS, "control", "requests", "audit")))
    return stream


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn, monkeypatch: pytest.MonkeyPatch) -> Mgeo:
    """The program as an operator runs it, with what serves as MGEO_VERSION."""
    monkeypatch.setenv("MGEO_VERSION", SERVES)
    return mgeo_on(stream)


async def begin(mgeo: Mgeo, *more: str) -> None:
    code, _, err = await mgeo("topics", "create", "--partitions", str(PARTITIONS), *more)
    assert code == 0, err


async def metric(worker: WorkerProcess, name: str) -> float:
    _, text = await asyncio.to_thread(worker.get, "/metrics")
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith((f"{name} ", f"{name}{{"))
    )


async def until_serving(worker: WorkerProcess, epoch: int) -> None:
    async def so() -> bool:
        return await metric(worker, "mgeo_serving_epoch") == epoch

    await eventually(so, f"the worker serves epoch {epoch}", timeout_s=90)


async def until_noted(stream: KafkaSettings, epoch: int) -> None:
    async def by_all() -> bool:
        notes = await memory_of(stream, stream.names.stable_group)
        return [note.serving_epoch for _, note in notes.values()] == [epoch] * PARTITIONS

    await eventually(by_all, f"all partitions at epoch {epoch}")


async def publish(stream: KafkaSettings, name: str, records: int) -> None:
    """So many records of two addresses, whose ids begin with the name."""
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        for number in range(records):
            texts = [(f"{name}-{number}-{index}", f"{name}路{number}号") for index in range(2)]
            await producer.send_and_wait(
                stream.names.events, record_of(number, texts), partition=number % PARTITIONS
            )


async def ids_of(stream: KafkaSettings, name: str) -> list[str]:
    """Ids of results whose name begins so, repeats included."""
    found = [result_of(record) for record in await everything(stream, stream.names.parsed)]
    return sorted(one for out in found for one in out.ids if one.startswith(f"{name}-"))


async def until_parsed(stream: KafkaSettings, name: str, records: int) -> None:
    async def so() -> bool:
        return len(await ids_of(stream, name)) >= 2 * records

    await eventually(so, f"{records} records of {name} parsed", timeout_s=90)


async def reset(stream: KafkaSettings, offsets: Mapping[TopicPartition, int]) -> None:
    """`kafka-consumer-groups.sh --reset-offsets … --execute`: a commit from outside the group."""
    consumer = AIOKafkaConsumer(
        group_id=stream.names.stable_group, enable_auto_commit=False, **client_options(stream)
    )
    async with consumer:
        consumer.assign(list(offsets))
        await consumer.commit(dict(offsets))


# --- the control topic ----------------------------------------------------------------------------


async def test_workers_follow_a_control_topic_that_is_made_anew_and_lose_nothing(
    stream: KafkaSettings, mgeo: Mgeo, topics: TopicFactory, spawn: Spawn
) -> None:
    await begin(mgeo)
    worker = spawn(stream)
    parts = c.parts_for(stream, c.Script())
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        async with Load(stream, partitions=PARTITIONS, per_second=40, interactive_every=4):
            await worker.ready()
            await until_noted(stream, 1)
            async with c.running_controller(stream, parts) as controller:
                await controller.leading()
                old = await c.state_of(stream)
                await c.send(stream, c.start_of(old, "r-old"))
                await c.outcome(stream, "start r-old")
            await asyncio.to_thread(topics.delete, stream.names.control)
            code, out, _ = await mgeo("topics", "check")
            assert code == 1
            assert stream.names.control in out
            await begin(mgeo)
            new = await c.state_of(stream)
            assert new.serving.stable == old.serving.stable
            assert new.incarnation != old.incarnation
            assert new.serving.serving_epoch == old.serving.serving_epoch + 1
            await until_serving(worker, new.serving.serving_epoch)
            await until_noted(stream, new.serving.serving_epoch)
            async with c.running_controller(stream, parts) as controller:
                await controller.leading()
                code, out, _ = await mgeo("rollout", "status")
                assert code == 0
                assert SERVES in out
        await until_done(stream)
        assert await complaints(stream, watcher) == []
    assert worker.terminate() == 0, worker.tail()


async def test_a_damaged_control_record_stops_nobody_and_a_topic_of_nothing_else_is_made_anew(
    stream: KafkaSettings, mgeo: Mgeo, topics: TopicFactory, spawn: Spawn
) -> None:
    await begin(mgeo)
    first = spawn(stream, name="first")
    await first.ready()
    await until_noted(stream, 1)
    await write_state(stream, b"{broken")
    second = spawn(stream, name="second")
    await second.ready()  # from the last good record
    code, out, _ = await mgeo("rollout", "status")
    assert code == 0
    assert SERVES in out

    # Compaction has taken the good record: the damage alone is left.
    await asyncio.to_thread(topics.delete, stream.names.control)
    await begin(mgeo, "--topics-only")
    await write_state(stream, b"{broken")
    await begin(mgeo)  # does not write over what exists
    third = spawn(stream, name="third")

    async def waits() -> bool:
        status, why = await asyncio.to_thread(third.get, "/readyz")
        return status == 503 and "control record" in why

    await eventually(waits, "a new worker waits for a record that it can read")
    code, out, err = await mgeo("doctor")
    assert code == 1
    assert "unreadable" in out + err
    await publish(stream, "meanwhile", 10)
    await until_parsed(stream, "meanwhile", 10)  # by those that run

    await asyncio.to_thread(topics.delete, stream.names.control)
    await begin(mgeo)
    await third.ready()
    await until_done(stream)
    assert violations(await look(stream)) == []
    for worker in (first, second, third):
        assert worker.terminate() == 0, worker.tail()


# --- topics and offsets ---------------------------------------------------------------------------


async def test_an_input_topic_that_was_deleted_comes_back_and_everything_since_is_parsed_once(
    stream: KafkaSettings, mgeo: Mgeo, topics: TopicFactory, spawn: Spawn
) -> None:
    """With the workers stopped in between: one that lives through it knows the old offsets."""
    await begin(mgeo)
    worker = spawn(stream, name="old")
    await worker.ready()
    await publish(stream, "before", 30)
    await until_parsed(stream, "before", 30)
    await asyncio.to_thread(topics.delete, stream.names.events)
    code, out, _ = await mgeo("topics", "check")
    assert code == 1
    assert stream.names.events in out
    assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()
    await begin(mgeo)
    code, _, _ = await mgeo("topics", "check")
    assert code == 0
    successor = spawn(stream, name="new")
    await successor.ready()
    await publish(stream, "after", 30)
    await until_parsed(stream, "after", 30)
    await asyncio.sleep(2.0)
    assert len(set(await ids_of(stream, "after"))) == 60
    assert len(await ids_of(stream, "after")) == 60, "each once"
    assert successor.terminate() == 0


async def test_records_that_retention_took_are_named_and_the_rest_goes_on(
    stream: KafkaSettings, mgeo: Mgeo, spawn: Spawn
) -> None:
    await begin(mgeo)
    worker = spawn(stream, name="before")
    await worker.ready()
    await publish(stream, "before", 30)
    await until_parsed(stream, "before", 30)
    assert worker.terminate() == 0
    await publish(stream, "lost", 9)  # three in each partition
    hole = TopicPartition(stream.names.events, 1)
    committed = (await look(stream)).committed[(hole.topic, hole.partition)]
    async with admin(stream) as client:
        await client.delete_records({hole: RecordsToDelete(before_offset=committed + 3)})
    await publish(stream, "after", 9)

    both = [spawn(stream, name=name) for name in ("a", "b")]
    for one in both:  # the partition goes from one to the other
        await one.ended(90)
        assert "records_lost" in one.tail()
        assert f"offsets {committed} to {committed + 2} were deleted" in one.tail()

    await eventually(lambda: empty(stream), "the group is empty", timeout_s=60)
    await reset(stream, {hole: committed + 3})
    last = spawn(stream, name="last")
    await last.ready()
    await until_done(stream)
    wrong = violations(await look(stream))
    # Retention took the records of older results with it: of those nobody can tell the origin.
    wrong = [one for one in wrong if not one.startswith(f"unknown origin: {hole.topic}/1/")]
    assert wrong == [], "nothing else is lost, and nothing doubled"
    assert len(await ids_of(stream, "lost")) == 2 * 6
    assert len(await ids_of(stream, "after")) == 2 * 9
    assert last.terminate() == 0


async def empty(stream: KafkaSettings) -> bool:
    async with admin(stream) as client:
        answers = await client.describe_consumer_groups([stream.names.stable_group])
    return not any(group[5] for answer in answers for group in answer.groups)


async def test_offsets_that_were_lost_are_restored_from_the_results(
    stream: KafkaSettings, mgeo: Mgeo, spawn: Spawn
) -> None:
    await begin(mgeo)
    async with ConcurrentReader(stream, partitions=PARTITIONS) as watcher:
        async with Load(stream, partitions=PARTITIONS, per_second=60, interactive_every=4):
            worker = spawn(stream, "--seconds-per-token", "0.0002", name="before")
            await worker.ready()
            await eventually(lambda: has_results(stream), "something is parsed", timeout_s=60)
            worker.kill()  # with work in hand
        await eventually(lambda: empty(stream), "its session has run out", timeout_s=60)
        client = AdminClient({"bootstrap.servers": stream.kafka_bootstrap_servers})
        for gone in client.delete_consumer_groups([stream.names.stable_group]).values():
            gone.result(30)
        code, _, _ = await mgeo("topics", "offsets")
        assert code == 1
        code, _, err = await mgeo("topics", "offsets", "--restore")
        assert code == 0, err
        last = spawn(stream, name="after")
        await last.ready()
        await until_done(stream)
        assert await complaints(stream, watcher) == []
    assert last.terminate() == 0


async def has_results(stream: KafkaSettings) -> bool:
    return bool((await look(stream)).results)


@asynccontextmanager
async def admin(stream: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**client_options(stream))
    await client.start()
    try:
        yield client
    finally:
        await client.close()


# --- the cluster ----------------------------------------------------------------------------------


async def test_a_cluster_that_lost_everything_is_begun_anew(
    own_broker: Callable[..., LocalBroker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mgeo_on: MgeoOn,
    spawn: Spawn,
) -> None:
    one = await asyncio.to_thread(own_broker, work_dir=tmp_path / "broker")
    stream = KafkaSettings(kafka_bootstrap_servers=one.bootstrap_servers)
    monkeypatch.setenv("MGEO_VERSION", SERVES)
    mgeo = mgeo_on(stream)
    await begin(mgeo)
    survivor = spawn(stream, name="survivor")
    await survivor.ready()
    await publish(stream, "before", 20)
    await until_parsed(stream, "before", 20)

    await asyncio.to_thread(one.kill)
    shutil.rmtree(one.data_dir)
    await asyncio.to_thread(one.start)
    # The page says to stop everything first. One that nobody stopped does not go on either.
    assert await survivor.ended(120) != 0

    await begin(mgeo)
    assert (await c.state_of(stream)).serving.serving_epoch == 1
    worker = spawn(stream, name="new")
    await worker.ready()
    await publish(stream, "again", 20)
    await until_done(stream)
    assert violations(await look(stream)) == []
    assert len(await ids_of(stream, "again")) == 40
    assert worker.terminate() == 0, worker.tail()


# --- models and keys ------------------------------------------------------------------------------


def run(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mgeo` as a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**variables, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_store_that_was_lost_is_made_again_with_the_same_digest(tmp_path: Path) -> None:
    """From the checkpoint, and, where that is gone, from what a worker has in its cache."""
    version = "mgeo-ours-v1-20261123"
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint", seed=5)
    store, cache = tmp_path / "store", tmp_path / "cache"
    variables = {**os.environ, "MGEO_MODEL_STORE": str(store), "MGEO_MODEL_CACHE": str(cache)}

    def add(directory: Path) -> None:
        added = run(variables, "model", "add", str(directory), "--version", version)
        assert added.returncode == 0, added.stderr

    def digest() -> str:
        shown = run(variables, "model", "show", version, "--output", "json")
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    add(checkpoint)
    parsed = run(variables | {"MGEO_VERSION": version}, "parse", "杭州西湖区文三路")
    assert parsed.returncode == 0, parsed.stderr
    before = digest()
    shutil.rmtree(store)
    gone = run(variables | {"MGEO_VERSION": version}, "parse", "杭州西湖区文三路")
    assert gone.returncode == 2
    assert "there is no model" in gone.stderr
    add(checkpoint)
    assert weights(digest()) == weights(before)

    (cached,) = [one for one in cache.iterdir() if one.name.startswith(version)]
    kept = shutil.copytree(cached, tmp_path / "kept")
    shutil.rmtree(store)
    shutil.rmtree(cache)
    add(kept)
    assert weights(digest()) == weights(before)
    assert run(variables, "model", "verify", version).returncode == 0


def weights(shown: str) -> str:
    return str(json.loads(shown)["digest"])


def test_a_controller_says_which_keyring_it_has_not_found(
    kafka: KafkaSettings, tmp_path: Path
) -> None:
    variables = environment(kafka, tmp_path)
    left = run(variables, "rollout", "controller", "--keyring", str(tmp_path / "keyring.yaml"))
    assert left.returncode == 2
    assert "keyring.yaml cannot be read" in left.stderr
