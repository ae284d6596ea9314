"""Kafka to Kafka: a backlog that is there before the worker, drained by one worker process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from contracts.errors import FatalError
from contracts.events import Address, AddressBatch
from contracts.group_offsets import stored_offsets
from contracts.headers import header
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from deploy.bench.figures import Commit, drain_rate
from deploy.bench.workers import MemoryTrace, Setup, WorkerProcess, running
from deploy.first_state import write_first_state
from deploy.topics import TopicAdmin
from producer.topic_log import TopicLog

PARTITIONS: Final = 4
ADDRESSES_PER_RECORD: Final = 20


@dataclass(frozen=True, slots=True)
class Drain:
    """What came of draining one backlog.

    Attributes:
        addresses: results, exactly one for each that was published.
        began_ms: when the first record reached the worker, milliseconds since the epoch.
        commits: the results' own timestamps.
        metrics: the worker's, at the end.
        memory: of the worker's process.
        cpu_s: its processor time while it drained.
    """

    addresses: int
    began_ms: float
    commits: tuple[Commit, ...]
    metrics: dict[str, float]
    memory: MemoryTrace
    cpu_s: float

    @property
    def rate(self) -> float:
        """Addresses per second."""
        return drain_rate(self.began_ms, self.commits)

    @property
    def padding_waste(self) -> float:
        """Mean share of padding over the device batches."""
        return _mean(self.metrics, "mgeo_padding_waste_ratio")

    @property
    def batch_fill(self) -> float:
        """Mean of padded tokens over the token budget."""
        return _mean(self.metrics, "mgeo_batch_fill_ratio")

    def raw(self) -> dict[str, Any]:
        """For the JSON."""
        busy = self.metrics.get("mgeo_device_busy_seconds_total", 0.0)
        return {
            "addresses": self.addresses,
            "began_ms": self.began_ms,
            "commits_ms_addresses": [[commit.at_ms, commit.addresses] for commit in self.commits],
            "addresses_per_s": self.rate,
            "padding_waste": self.padding_waste,
            "batch_fill": self.batch_fill,
            "device_busy_s": busy,
            "device_batches": self.metrics.get("mgeo_device_batches_total", 0.0),
            "transactions": self.metrics.get("mgeo_transactions_total", 0.0),
            "worker_cpu_s": self.cpu_s,
            "worker_peak_rss_bytes": max(self.memory.bytes, default=0),
        }


def _mean(metrics: dict[str, float], name: str) -> float:
    count = metrics.get(f"{name}_count", 0.0)
    return metrics.get(f"{name}_sum", 0.0) / count if count else 0.0


@asynccontextmanager
async def topics(kafka: KafkaSettings, spec: ModelSpec) -> AsyncIterator[KafkaSettings]:
    """Fresh topics under a prefix of their own that serve ``spec``; gone afterwards."""
    stream = kafka.model_copy(update={"topic_prefix": f"bench-{time.monotonic_ns():x}-"})
    async with TopicAdmin(stream) as admin:
        created = (await admin.create(partitions=PARTITIONS, replication=1)).created
    try:
        await write_first_state(stream, spec)
        yield stream
    finally:
        client = AIOKafkaAdminClient(**client_options(kafka))
        await client.start()
        try:
            await client.delete_topics(list(created))
        finally:
            await client.close()


async def publish(kafka: KafkaSettings, texts: Iterable[str]) -> int:
    """Write addresses as records of twenty, evenly over the partitions; how many addresses."""
    source = iter(texts)
    count = record = 0
    async with AIOKafkaProducer(
        **client_options(kafka), linger_ms=20, max_batch_size=512 * 1024
    ) as producer:
        futures = []
        while chunk := list(islice(source, ADDRESSES_PER_RECORD)):
            futures.append(
                await producer.send(
                    kafka.names.events, batch_of(chunk, record), partition=record % PARTITIONS
                )
            )
            count += len(chunk)
            record += 1
            if len(futures) >= 1000:
                await asyncio.gather(*futures)
                futures.clear()
        await asyncio.gather(*futures)
    return count


def batch_of(texts: list[str], number: int) -> bytes:
    """One record as publishers write it."""
    return (
        AddressBatch(
            batch_id=f"b-{number}",
            source="bench",
            addresses=tuple(
                Address(id=f"{number}-{index}", text=text) for index, text in enumerate(texts)
            ),
        )
        .model_dump_json()
        .encode()
    )


async def drain(
    kafka: KafkaSettings, setup: Setup, texts: Iterable[str], *, log: Path, timeout_s: float
) -> Drain:
    """Publish everything, start a worker, wait until all is committed, drain it.

    Raises:
        FatalError: ``bench_timeout``, ``bench_miscounted`` when the results are not exactly
            as many as the addresses, ``bench_worker_failed``.
    """
    addresses = await publish(kafka, texts)
    async with running(setup, kafka, log) as worker:
        before = worker.cpu_s()
        await until_committed(kafka, worker, timeout_s=timeout_s)
        cpu_s = worker.cpu_s() - before
        metrics = await asyncio.to_thread(worker.metrics)
    began, commits = await results(kafka, addresses)
    return Drain(addresses, began, commits, metrics, worker.memory, cpu_s)


async def until_committed(kafka: KafkaSettings, worker: WorkerProcess, *, timeout_s: float) -> None:
    """Wait until the group's offsets have reached the end of the input.

    Raises:
        FatalError: ``bench_timeout``, ``bench_worker_failed``.
    """
    async with TopicLog(kafka, kafka.names.events) as log:
        ends = await log.ends()
    deadline = time.monotonic() + timeout_s
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        while True:
            offsets = await stored_offsets(admin, kafka.names.stable_group)
            done = {
                partition.partition: found.offset
                for partition, found in offsets.items()
                if partition.topic == kafka.names.events
            }
            if all(done.get(partition, 0) >= end for partition, end in ends.items()):
                return
            worker.check()
            if time.monotonic() > deadline:
                raise FatalError(
                    f"the backlog was not drained within {timeout_s:.0f} s",
                    code="bench_timeout",
                    hint="give the machine less other work, or use --quick",
                )
            await asyncio.sleep(0.5)
    finally:
        await admin.close()


async def results(kafka: KafkaSettings, published: int) -> tuple[float, tuple[Commit, ...]]:
    """When the first record reached a worker, and every result with its time.

    Raises:
        FatalError: ``bench_miscounted`` when there is not one result for each of as many
            addresses as were published.
    """
    began = float("inf")
    at: dict[int, int] = {}
    async with TopicLog(kafka, kafka.names.parsed) as log:
        log.seek(await log.beginnings())
        ends = await log.ends()
        while not await log.passed(ends):
            for record in await log.poll():
                message = json.loads(record.value)
                timing = message["timing"]
                finished = datetime.fromisoformat(
                    (header(record.headers, "ce_time") or b"").decode()
                )
                waited = timing["queue_ms"] + timing["service_ms"]
                began = min(began, finished.timestamp() * 1e3 - waited)
                at[record.timestamp] = at.get(record.timestamp, 0) + len(message["results"])
    if (counted := sum(at.values())) != published:
        raise FatalError(
            f"{published} addresses went in, {counted} came out", code="bench_miscounted"
        )
    return began, tuple(Commit(when, count) for when, count in sorted(at.items()))
