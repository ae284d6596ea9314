"""The demo's traffic: made-up addresses without end, published at a steady pace.

Names and layouts are those that the starter models never saw; some addresses come again, as
customers do. ``python -m deploy.demo.traffic`` publishes until Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import sys
from collections.abc import Callable, Iterator
from typing import Final, Self

from contracts.settings import KafkaSettings

SEED: Final = 31
REPEATS: Final = 0.2
"""The part of the addresses that have come before, where nothing else is said."""
REMEMBERED: Final = 2000

# Digits that might be somebody's telephone number stay out of what people are shown.
_PHONE: Final = re.compile(r"\d{7}|\d{3,4}-\d{7}")


def addresses(seed: int = SEED, repeats: Callable[[], float] = lambda: REPEATS) -> Iterator[str]:
    """Addresses without end; the same seed gives the same ones.

    Args:
        seed: any integer.
        repeats: asked before each address for the part of them that have come before.
    """
    from consumer.starter.generator.addresses import addresses as made_up

    rng = random.Random(seed)  # noqa: S311 - a reproducible stream is what is wanted
    known: list[str] = []
    for made in made_up(seed, "held_out"):
        if len(made.text) < 6 or _PHONE.search(made.text):
            continue
        while known and rng.random() < repeats():
            yield rng.choice(known)
        if len(known) < REMEMBERED:
            known.append(made.text)
        else:
            known[rng.randrange(REMEMBERED)] = made.text
        yield made.text


class Traffic:
    """Publishes records from entering until leaving; then all of them are confirmed.

    Args:
        kafka: where to.
        records_per_s: how often; may be changed while it runs.
        addresses_per_record: how many in each; likewise.
    """

    def __init__(
        self, kafka: KafkaSettings, *, records_per_s: float, addresses_per_record: int
    ) -> None:
        self._kafka = kafka
        self.records_per_s = records_per_s
        self.addresses_per_record = addresses_per_record
        self.repeats = REPEATS
        self.held = False
        """Publish nothing for the moment."""
        self.records = 0
        self.addresses = 0
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Publish no more; what was published is confirmed when this returns.

        Raises:
            MgeoError: a record was not confirmed.
        """
        self._stop.set()
        if self._task is not None:
            await self._task

    def check(self) -> None:
        """Raise what has ended the traffic too early, if anything has."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def _run(self) -> None:
        from producer import AddressPublisher

        texts = addresses(repeats=lambda: self.repeats)
        loop = asyncio.get_running_loop()
        async with AddressPublisher(self._kafka) as publisher, asyncio.TaskGroup() as confirming:
            due = loop.time()
            while not self._stop.is_set():
                if self.held:
                    await asyncio.sleep(0.1)
                    continue
                batch = [next(texts) for _ in range(self.addresses_per_record)]
                name = f"demo-{self.records}"
                confirming.create_task(
                    publisher.publish(batch, source="demo", batch_id=name, key=name)
                )
                self.records += 1
                self.addresses += len(batch)
                due = max(due + 1 / self.records_per_s, loop.time() - 1.0)
                await asyncio.sleep(max(0.0, due - loop.time()))


async def _publish_for_ever(records_per_s: float, addresses_per_record: int) -> None:
    from deploy.local.discovery import kafka_settings

    async with Traffic(
        kafka_settings(), records_per_s=records_per_s, addresses_per_record=addresses_per_record
    ) as traffic:
        while True:
            await asyncio.sleep(5)
            traffic.check()
            sys.stdout.write(f"{traffic.records} records, {traffic.addresses} addresses\n")


def main() -> None:
    """Publish to the broker that every command finds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records-per-second", type=float, default=40.0)
    parser.add_argument("--addresses-per-record", type=int, default=4)
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_publish_for_ever(arguments.records_per_second, arguments.addresses_per_record))


if __name__ == "__main__":
    main()
