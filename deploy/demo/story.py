"""One run from an empty machine to balanced books: broker, topics, publish, worker, results.

It uses what users use: the real broker, the publisher, a worker process, the result topic.
"""

from __future__ import annotations

import asyncio
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from contracts.errors import FatalError
from contracts.settings import KafkaSettings
from deploy.ledger import Books, read_books, read_topic

BATCH = 20
UNREADABLE = b'{"batch_id": "demo-broken", "addresses": ['


@dataclass(frozen=True, slots=True)
class Published:
    """What went in."""

    records: int
    addresses: int


Progress = Callable[[int, int], None]
"""Called with (done, total)."""


def sample() -> list[tuple[str, str]]:
    """The bundled addresses, all generated: (id, text)."""
    text = (resources.files("deploy.demo") / "sample.csv").read_text(encoding="utf-8-sig")
    return [(row["id"], row["address"]) for row in csv.DictReader(text.splitlines())]


async def create_topics(kafka: KafkaSettings, *, partitions: int) -> None:
    """Make the topics on a broker of one."""
    from deploy.topics import TopicAdmin

    async with TopicAdmin(kafka) as admin:
        await admin.create(partitions=partitions, replication=1)


async def publish(
    kafka: KafkaSettings, rows: Sequence[tuple[str, str]], progress: Progress
) -> Published:
    """Publish the rows in batches, and one record that nobody can read."""
    from aiokafka import AIOKafkaProducer

    from contracts.settings import client_options
    from producer import AddressPublisher

    records = 0
    async with AddressPublisher(kafka) as publisher:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            done = await publisher.publish(batch, source="demo", batch_id=f"demo-{records}")
            records += len(done.records)
            progress(min(records * BATCH, len(rows)), len(rows))
    async with AIOKafkaProducer(**client_options(kafka)) as producer:
        await producer.send_and_wait(kafka.names.events, UNREADABLE)
    return Published(records + 1, len(rows))


@contextmanager
def worker(kafka: KafkaSettings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of its own, drained at the end.

    Raises:
        FatalError: ``worker_failed`` when it did not leave with 0.
    """
    environment = {
        **os.environ,
        "MGEO_KAFKA_BOOTSTRAP_SERVERS": kafka.kafka_bootstrap_servers,
        "MGEO_TOPIC_PREFIX": kafka.topic_prefix,
    }
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "worker", "--port", "0"],
            env=environment,
            stderr=errors,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise FatalError(
            f"the worker left with {code}", code="worker_failed", hint=f"its last words:\n{tail}"
        )


async def wait_for_results(
    kafka: KafkaSettings,
    process: subprocess.Popen[bytes],
    published: Published,
    progress: Progress,
    *,
    timeout_s: float,
) -> None:
    """Follow the result topic until every address is back.

    Raises:
        FatalError: ``worker_failed`` or ``demo_timeout``.
    """
    from producer import ResultReader

    deadline = time.monotonic() + timeout_s
    seen = 0
    async with ResultReader(kafka, follow=True) as reader:
        results = aiter(reader)
        pending = asyncio.ensure_future(anext(results))
        try:
            while seen < published.addresses:
                done, _ = await asyncio.wait({pending}, timeout=0.5)
                if done:
                    seen += len(pending.result().results)
                    progress(seen, published.addresses)
                    pending = asyncio.ensure_future(anext(results))
                elif process.poll() is not None:
                    raise FatalError("the worker ended too early", code="worker_failed")
                elif time.monotonic() > deadline:
                    raise FatalError(
                        f"{published.addresses - seen} addresses are not back after "
                        f"{timeout_s:.0f} s",
                        code="demo_timeout",
                    )
        finally:
            pending.cancel()
            await asyncio.wait({pending})


async def examples(kafka: KafkaSettings, count: int) -> list[dict[str, object]]:
    """The first results, as they stand on the topic."""
    import json

    found: list[dict[str, object]] = []
    for record in await read_topic(kafka, kafka.names.parsed):
        found += json.loads(record.value)["results"][:2]
        if len(found) >= count:
            break
    return found[:count]


async def balance(kafka: KafkaSettings) -> Books:
    """The books, once the dead letter is committed too."""
    deadline = time.monotonic() + 30
    while True:
        books = await read_books(kafka)
        if books.caught_up or time.monotonic() > deadline:
            return books
        await asyncio.sleep(0.2)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mgeo-demo-") as folder:
        yield Path(folder)
