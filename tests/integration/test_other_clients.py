"""librdkafka clients publish plain JSON without headers and read the results."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, Producer

from contracts.settings import KafkaSettings
from producer import AddressPublisher, ResultReader
from tests.brokers.admin import TopicFactory
from tests.streams.command import Mgeo, MgeoOn, environment
from tests.streams.stand_in_worker import StandInWorker
from tests.streams.topic import everything

pytestmark = pytest.mark.broker


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(2)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn) -> Mgeo:
    return mgeo_on(stream)


async def test_plain_json_in_results_out(stream: KafkaSettings) -> None:
    servers = {"bootstrap.servers": stream.kafka_bootstrap_servers}
    producer = Producer(servers)
    body = {"batch_id": "x-1", "source": "kcat", "addresses": [{"id": "1", "text": "京路1号"}]}
    producer.produce(stream.names.events, json.dumps(body).encode(), key=b"k")
    assert producer.flush(20) == 0
    async with StandInWorker(stream) as worker:
        (record,) = await everything(stream, stream.names.events)
        assert record.headers == ()
        await worker.answer([record])
    group = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    consumer = Consumer({**servers, **group, "isolation.level": "read_committed"})
    consumer.subscribe([stream.names.parsed])
    try:
        message = await asyncio.to_thread(consumer.poll, 30)
    finally:
        consumer.close()
    assert message is not None
    assert message.key() == b"k"
    result = json.loads(message.value())
    assert result["batch_id"] == "x-1"
    assert result["results"][0]["address"] == {"prov": "京"}
    assert dict(message.headers())["mgeo-origin"].decode().endswith("/0") is True
    async with ResultReader(stream, source="kcat", follow=False) as reader:
        assert [batch.batch_id async for batch in reader] == ["x-1"]


async def test_the_results_command_prints_and_writes(
    stream: KafkaSettings, tmp_path: Path, mgeo: Mgeo
) -> None:
    async with AddressPublisher(stream) as publisher:
        for number in range(5):
            await publisher.publish(
                ["京路1号", " "], source="even" if number % 2 == 0 else "odd", batch_id=f"b{number}"
            )
    async with StandInWorker(stream) as worker:
        await worker.answer(await everything(stream, stream.names.events))

    code, printed, errors = await mgeo(
        "results", "--output", "json", "--source", "even", "--since", "1h"
    )
    assert (code, errors) == (0, "")
    messages = [json.loads(line) for line in printed.splitlines()]
    assert sorted(message["batch_id"] for message in messages) == ["b0", "b2", "b4"]
    assert messages[0]["results"][1]["error"] == "empty_text"
    _, printed, _ = await mgeo("results", "--batch-id", "b1")
    assert "prov=京" in printed
    assert "empty_text" in printed
    out = tmp_path / "out.parquet"
    code, printed, errors = await mgeo("results", "--group", "team", "--out", str(out))
    assert (code, printed) == (0, f"10 results written to {out}\n"), errors
    assert sorted(pq.read_table(out).column("batch_id").to_pylist()) == sorted(
        f"b{number}" for number in range(5) for _ in range(2)
    )
    code, printed, _ = await mgeo("results", "--group", "team", "--out", str(out))
    assert printed == f"0 results written to {out}\n"


async def test_following_a_file_ends_properly_when_told(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "results", "--follow", "--from", "beginning"),
        *("--out", str(tmp_path / "live.jsonl"), "--group", "live"),
        env=environment(stream, tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with AddressPublisher(stream) as publisher, StandInWorker(stream) as worker:
        await publisher.publish(["京路1号"], batch_id="one")
        await worker.follow(1)
    async with asyncio.timeout(60):
        while not _unfinished_bytes(tmp_path):  # noqa: ASYNC110  (another process writes it)
            await asyncio.sleep(0.05)
    assert not (tmp_path / "live.jsonl").exists()
    process.terminate()
    out, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, errors.decode()
    assert out.decode().startswith("1 records written")
    (line,) = (tmp_path / "live.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["batch_id"] == "one"
    async with ResultReader(stream, group="live", follow=False) as reader:
        assert [batch async for batch in reader] == []


def _unfinished_bytes(folder: Path) -> int:
    return sum(part.stat().st_size for part in folder.glob(".live.jsonl.*.part"))


async def test_a_pipe_is_published_as_it_comes(stream: KafkaSettings, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "publish", "-", "--format", "text"),
        *("--batch-size", "2", "--output", "json"),
        env=environment(stream, tmp_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write("京路1号\n京路2号\n京路3号\n".encode())
    await process.stdin.drain()
    async with asyncio.timeout(60):  # the writer goes on, and the first batch is there
        while not await everything(stream, stream.names.events):  # noqa: ASYNC110  (the log's)
            await asyncio.sleep(0.05)
    out, errors = await process.communicate("京路4号\n\n京路5号".encode())
    assert process.returncode == 0, errors.decode()
    assert json.loads(out)["published"] == 5
    values = [json.loads(r.value) for r in await everything(stream, stream.names.events)]
    texts = sorted(one["text"] for value in values for one in value["addresses"])
    assert texts == [f"京路{number}号" for number in range(1, 6)]
