"""What acts do to a system from outside: publishers, callers, strangers, somebody at the topics.

Everything here is a client that anybody could run; nothing of the product is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from contracts.headers import REPLY_TO, Header, header
from contracts.replies import ReplyTo
from contracts.settings import KafkaSettings, client_options
from contracts.topics import standard_topics
from deploy.demo.traffic import addresses

_CALL_TIMEOUT_S: Final = 30.0


async def send(
    kafka: KafkaSettings,
    topic: str,
    values: Iterable[bytes],
    *,
    key: bytes | None = None,
    partition: int | None = None,
    headers: Sequence[Header] = (),
) -> None:
    """Publish these with a plain producer; all of them are confirmed when this returns."""
    async with AIOKafkaProducer(**client_options(kafka)) as producer:
        sent = [
            await producer.send(topic, value, key=key, partition=partition, headers=list(headers))
            for value in values
        ]
        await asyncio.gather(*sent)


def batch_of(texts: Iterable[str]) -> bytes:
    """An ``AddressBatch`` of these texts, as any client could write it."""
    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    return json.dumps({"batch_id": "drill", "addresses": rows}, ensure_ascii=False).encode()


def fresh(count: int, *, seed: int = 7) -> list[str]:
    """So many addresses that have not come before."""
    return list(itertools.islice(addresses(seed=seed, repeats=lambda: 0.0), count))


async def set_topic(kafka: KafkaSettings, topic: str, **changes: str) -> None:
    """Give a topic these settings beside those that it must have; underscores are dots.

    Said without changes, it has again what it must have.
    """
    (spec,) = [one for one in standard_topics(kafka.names) if one.name == topic]
    more = {name.replace("_", "."): value for name, value in changes.items()}
    async with _admin(kafka) as admin:
        # The whole of it: what is not named goes back to the broker's default.
        configs = {**spec.config, **more}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs)
        for answer in await admin.alter_configs([resource]):
            for code, *_ in answer.resources:
                if code:
                    raise for_code(code)(topic)


async def delete_topic(kafka: KafkaSettings, topic: str) -> None:
    """Delete it."""
    async with _admin(kafka) as admin:
        await admin.delete_topics([topic])


async def delete_records(kafka: KafkaSettings, topic: str) -> None:
    """Delete everything that it holds, as retention would."""
    async with _admin(kafka) as admin:
        (found,) = await admin.describe_topics([topic])
        pairs = [TopicPartition(topic, one["partition"]) for one in found["partitions"]]
        await admin.delete_records({pair: RecordsToDelete(before_offset=-1) for pair in pairs})


async def last_value(kafka: KafkaSettings, topic: str) -> bytes:
    """The newest record of a topic of one partition."""
    pair = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(
        **client_options(kafka), enable_auto_commit=False, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        consumer.assign([pair])
        await consumer.seek_to_beginning(pair)
        end = (await consumer.end_offsets([pair]))[pair]
        newest = b""
        while await consumer.position(pair) < end:
            for record in (await consumer.getmany(timeout_ms=500)).get(pair, []):
                newest = record.value or newest
        return newest
    finally:
        await consumer.stop()


async def stranger(kafka: KafkaSettings, group: str, topics: Sequence[str]) -> None:
    """Somebody joins a group that is not theirs, looks, and leaves again."""
    consumer = AIOKafkaConsumer(
        *topics, **client_options(kafka), group_id=group, enable_auto_commit=False
    )
    try:
        await consumer.start()
        await consumer.getmany(timeout_ms=500)
    except KafkaError:
        return  # the group is between two rebalances
    finally:
        await consumer.stop()


@asynccontextmanager
async def impostor(kafka: KafkaSettings) -> AsyncIterator[None]:
    """Somebody answers in the workers' place, with what no gateway can read.

    What a worker of another release would do: the right place, the right request, another body.
    """
    names = kafka.names
    consumer = AIOKafkaConsumer(
        names.interactive,
        **client_options(kafka),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="latest",
    )
    producer = AIOKafkaProducer(**client_options(kafka))

    async def answer() -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=200)
            for record in itertools.chain.from_iterable(fetched.values()):
                to = ReplyTo.of(record.headers)
                if to is None:
                    continue
                echoed = (REPLY_TO, header(record.headers, REPLY_TO) or b"")
                await producer.send_and_wait(
                    names.replies, b'{"schema":9}', partition=to.partition, headers=[echoed]
                )

    await producer.start()
    await consumer.start()
    await consumer.seek_to_end()
    answering = asyncio.create_task(answer())
    try:
        yield
    finally:
        await _ended(answering)
        await consumer.stop()
        await producer.stop()


@asynccontextmanager
async def callers(
    port: int, number: int, *, addresses_each: int = 1, pause_s: float = 0.0, patience_s: float = 0
) -> AsyncIterator[None]:
    """People who ask a gateway without end, each one request after the other.

    Args:
        port: of the gateway.
        number: of them.
        addresses_each: in a request; more than one go to ``/parse/batch``.
        pause_s: between two requests of one of them.
        patience_s: after which they leave; 0: they wait.
    """
    texts = itertools.cycle(fresh(500, seed=port))

    async def call(client: httpx.AsyncClient) -> None:
        while True:
            some = list(itertools.islice(texts, addresses_each))
            body = {"address": some[0]} if addresses_each == 1 else {"addresses": some}
            path = "/parse" if addresses_each == 1 else "/parse/batch"
            # A refusal is traffic as well, and so is a gateway that is away.
            with contextlib.suppress(httpx.HTTPError):
                await client.post(path, json=body)
            await asyncio.sleep(pause_s)

    timeout = patience_s or _CALL_TIMEOUT_S
    url = f"http://127.0.0.1:{port}"
    limits = httpx.Limits(max_connections=number)
    async with httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits) as client:
        calling = [asyncio.create_task(call(client)) for _ in range(number)]
        try:
            yield
        finally:
            for task in calling:
                await _ended(task)


@asynccontextmanager
async def again_and_again(
    doing: Callable[[], Awaitable[None]], *, pause_s: float = 0.0
) -> AsyncIterator[None]:
    """Something that happens again and again for as long as this lasts; the last is finished."""
    enough = asyncio.Event()

    async def repeat() -> None:
        while not enough.is_set():
            await doing()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await enough.wait()

    repeating = asyncio.create_task(repeat())
    try:
        yield
    finally:
        enough.set()
        await asyncio.wait({repeating})
        repeating.result()


@asynccontextmanager
async def still_and_on(
    halt: Callable[[], None], go_on: Callable[[], None], *, still_s: float, runs_s: float
) -> AsyncIterator[None]:
    """A process that gets so little time that it stands still again and again."""

    async def pulse() -> None:
        halt()
        await asyncio.sleep(still_s)
        go_on()

    try:
        async with again_and_again(pulse, pause_s=runs_s):
            yield
    finally:
        go_on()


class FullPipe:
    """A log that nobody reads: who writes more into it than fits stands still.

    What a log collector that hangs does to the processes behind it.
    """

    _SET_SIZE: Final = 1031
    """F_SETPIPE_SZ of fcntl(2): Linux alone has it."""

    def __init__(self) -> None:
        self._read, self.write_end = os.pipe()
        if sys.platform == "linux":
            import fcntl

            fcntl.fcntl(self.write_end, self._SET_SIZE, 4096)

    def drain(self) -> None:
        """Read it from now on, in a thread of its own."""
        import threading

        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        while os.read(self._read, 65_536):
            pass


def limit_address_space(pid: int, more_bytes: int) -> Callable[[], None]:
    """Let a process have only so much more memory than now; what is returned lifts it again.

    The kernel refuses further allocations, as it does under ``ulimit -v``.
    """
    import resource

    import psutil

    before = resource.prlimit(pid, resource.RLIMIT_AS)
    most = psutil.Process(pid).memory_info().vms + more_bytes
    resource.prlimit(pid, resource.RLIMIT_AS, (most, before[1]))

    def lift() -> None:
        resource.prlimit(pid, resource.RLIMIT_AS, before)

    return lift


@asynccontextmanager
async def _admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel it, and raise what had ended it before."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
