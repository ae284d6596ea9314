"""Addresses that keep coming while a test hurts the stream."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer

from contracts.settings import KafkaSettings, client_options


def record_of(number: int, texts: list[tuple[str, str]]) -> bytes:
    """One input record."""
    addresses = [{"id": identifier, "text": text} for identifier, text in texts]
    return json.dumps(
        {"batch_id": f"b-{number}", "source": "load", "addresses": addresses}, ensure_ascii=False
    ).encode()


class Load:
    """Publishes numbered records round-robin over the partitions, as fast as it is told to.

    Every ``interactive_every``-th goes to the interactive input; 0: none.

    Its producer is idempotent and never gives up, so what it published is in the log once,
    whatever the broker goes through.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        partitions: int,
        per_second: float = 100.0,
        addresses: int = 3,
        interactive_every: int = 0,
    ) -> None:
        self._kafka = kafka
        self._partitions = partitions
        self._pause = 1.0 / per_second
        self._addresses = addresses
        self._interactive_every = interactive_every
        self._producer = AIOKafkaProducer(
            enable_idempotence=True, linger_ms=5, **client_options(kafka)
        )
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.published = 0

    async def __aenter__(self) -> Self:
        await self._producer.start()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Publish no more; all that was published is confirmed."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._stop.set()
        try:
            await asyncio.wait_for(task, 60)
        finally:
            # Without a broker it would wait for ever.
            await asyncio.wait({asyncio.ensure_future(self._producer.stop())}, timeout=20)

    async def _run(self) -> None:
        pending: set[asyncio.Future[object]] = set()
        while not self._stop.is_set():
            number = self.published
            texts = [
                (f"{number}-{index}", f"负载路{number}号{index}室")
                for index in range(self._addresses)
            ]
            every = self._interactive_every
            interactive = every and number % every == 0
            names = self._kafka.names
            future = await self._producer.send(
                names.interactive if interactive else names.events,
                record_of(number, texts),
                partition=(number // every if interactive else number) % self._partitions,
            )
            self.published += 1
            pending.add(future)
            future.add_done_callback(pending.discard)
            await asyncio.sleep(self._pause)
        await asyncio.gather(*pending)
