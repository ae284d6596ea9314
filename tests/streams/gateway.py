"""A gateway inside the test's own loop, on the real broker and a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer.gateway.service import Gateway
from producer.gateway.settings import GatewaySettings


class RunningGateway:
    """A gateway and the ways to talk to it."""

    def __init__(self, gateway: Gateway, stop: asyncio.Event) -> None:
        self.gateway = gateway
        self.stop = stop
        self.port = 0
        self.task: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: object) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=70, **options)  # type: ignore[arg-type]  # passed on

    async def listening(self) -> None:
        while not self.port:
            if self.task.done():
                self.task.result()
            await asyncio.sleep(0.02)

    async def ready(self, *, workers: int = 1, timeout_s: float = 40.0) -> None:
        async with asyncio.timeout(timeout_s):
            await self.listening()
            async with self.client() as client:
                while True:
                    answer = await client.get("/readyz")
                    if answer.status_code == 200 and answer.json()["workers"] >= workers:
                        return
                    await asyncio.sleep(0.05)

    async def warm(self, *, workers: int = 1) -> None:
        """Ready, and new topics have met their leaders on every way."""
        await self.ready(workers=workers)
        async with self.client(headers={"x-mgeo-timeout-ms": "60000"}) as client:
            for _ in range(4):  # partitions take turns
                answer = await client.post("/parse", json={"address": "京"})
                assert answer.status_code == 200, answer.text

    async def metric(self, name: str) -> float:
        async with self.client() as client:
            text = (await client.get("/metrics")).text
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        )


@asynccontextmanager
async def running_gateway(kafka: KafkaSettings, **changes: object) -> AsyncIterator[RunningGateway]:
    """Run a gateway; on leaving it is drained and must have ended well."""
    settings = GatewaySettings(port=0, watch_interval_ms=100, **changes)  # type: ignore[arg-type]  # by name
    gateway = Gateway(settings, kafka, Limits())
    running = RunningGateway(gateway, asyncio.Event())
    running.task = asyncio.create_task(
        gateway.run(running.stop, on_port=lambda port: setattr(running, "port", port))
    )
    try:
        yield running
    finally:
        running.stop.set()
        await asyncio.wait({running.task}, timeout=30)
    running.task.result()
