"""The bench's own worker process: the product's worker with an instant model or a planted sleep.

Both come in through the worker's own parameters, so nothing of it is in product code.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumer.service.worker import Worker
from consumer.settings import WorkerSettings
from consumer.stream.records import Outgoing
from consumer.stream.residency import ModelLoader
from consumer.stream.roles import stable_role
from consumer.stream.sink import Sink
from contracts.logs import configure_logs, get_logger
from contracts.settings import KafkaSettings
from deploy.service import run_service, share_cores

_log = get_logger(__name__)


class SleepingSink:
    """Blocks the event loop before every commit: the kind of fault the bench must notice."""

    def __init__(self, sink: Sink, seconds: float) -> None:
        self._sink = sink
        self._seconds = seconds

    async def open(self) -> None:
        """See ``Sink.open``."""
        await self._sink.open()

    async def commit(self, outgoing: Sequence[Outgoing], offset: int, metadata: str) -> None:
        """Sleep, on purpose in the wrong way, then commit."""
        time.sleep(self._seconds)  # noqa: ASYNC251  (the planted fault)
        await self._sink.commit(outgoing, offset, metadata)

    async def close(self) -> None:
        """See ``Sink.close``."""
        await self._sink.close()


class BenchWorker(Worker):
    """The worker, with a sleep in its lanes."""

    def __init__(self, *args: Any, planted_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        make = self._sink_factory

        def slow(partition: TopicPartition, consumer: AIOKafkaConsumer, group: str) -> Sink:
            return SleepingSink(make(partition, consumer, group), planted_s)

        if planted_s:
            self._sink_factory = slow


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instant", action="store_true")
    parser.add_argument("--plant-sleep-ms", type=float, default=0.0)
    given = parser.parse_args()
    configure_logs(json_lines=True)
    share_cores()
    settings, kafka = WorkerSettings(), KafkaSettings()

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        worker = BenchWorker(
            settings,
            kafka,
            stable_role(kafka.names, settings.limits),
            load=_loader(settings, instant=given.instant),
            planted_s=given.plant_sleep_ms / 1e3,
        )
        await worker.run(
            stop, on_port=lambda port: _log.info("listening", port=port, pid=os.getpid())
        )

    run_service(serve(), "mgeo-bench")


def _loader(settings: WorkerSettings, *, instant: bool) -> ModelLoader:
    if instant:
        from deploy.bench.instant import InstantModel

        return lambda _: InstantModel()
    from consumer.service.loading import model_loader

    return model_loader(settings)


if __name__ == "__main__":
    main()
