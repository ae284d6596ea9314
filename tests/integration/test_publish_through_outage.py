"""A broker that dies in the middle of a publication costs time, no address and no repeat."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.errors import BackendUnreachableError, TransientError
from contracts.headers import header
from contracts.settings import KafkaSettings
from deploy.file_publishing import Order, Report, publish_file
from deploy.local import LocalBroker
from producer.rows import ReadOptions
from producer.settings import ProducerSettings
from producer.topic_log import TopicLog
from tests.brokers.admin import TopicFactory
from tests.streams.topic import everything

pytestmark = pytest.mark.broker

ROWS = 3000


@dataclass
class Outage:
    """A file that is being published to a broker which is then killed."""

    broker: LocalBroker
    stream: KafkaSettings
    path: Path
    state: Path

    def publication(
        self, *, resume: bool = False, timeout_ms: int = 60_000
    ) -> tuple[asyncio.Task[Report], asyncio.Event]:
        """The run, and the moment when a quarter of it is confirmed."""
        well_begun = asyncio.Event()
        confirmed = 0

        def on_confirmed(addresses: int) -> None:
            nonlocal confirmed
            confirmed += addresses
            if confirmed > ROWS / 4:
                well_begun.set()

        run = publish_file(
            Order(str(self.path), ReadOptions(), batch_addresses=5, rate=1500, resume=resume),
            self.stream,
            ProducerSettings(
                publish_journal_dir=self.state,
                publish_confirm_timeout_ms=timeout_ms,
                publish_checkpoint_ms=100,
                resume_settle_ms=300,
            ),
            on_confirmed=on_confirmed,
        )
        return asyncio.create_task(run), well_begun

    async def assert_all_there_once(self) -> None:
        records = await everything(self.stream, self.stream.names.events)
        events = Counter(header(record.headers, "ce_id") for record in records)
        assert set(events.values()) == {1}
        assert len(records) == ROWS / 5


@pytest.fixture
def outage(
    own_broker: Callable[..., LocalBroker],
    own_topics: Callable[[LocalBroker], TopicFactory],
    tmp_path: Path,
) -> Outage:
    broker = own_broker()
    names = own_topics(broker).create_standard(3)
    path = tmp_path / "in.txt"
    path.write_text("".join(f"京路{number}号\n" for number in range(ROWS)), encoding="utf-8")
    stream = KafkaSettings(
        kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=names.prefix
    )
    return Outage(broker, stream, path, tmp_path / "state")


async def test_a_broker_killed_in_mid_publication_is_waited_for(outage: Outage) -> None:
    async with asyncio.timeout(120):
        publishing, well_begun = outage.publication()
        await well_begun.wait()
        await asyncio.to_thread(outage.broker.kill)
        await asyncio.sleep(0.5)
        assert not publishing.done()
        await asyncio.to_thread(outage.broker.start)
        report = await publishing
    assert report.counts.addresses == ROWS
    await outage.assert_all_there_once()


async def test_a_broker_that_stays_away_ends_the_run_and_a_resumed_one_completes_it(
    outage: Outage,
) -> None:
    async with asyncio.timeout(120):
        publishing, well_begun = outage.publication(timeout_ms=2000)
        await well_begun.wait()
        await asyncio.to_thread(outage.broker.kill)
        with pytest.raises(TransientError) as caught:
            await publishing
        assert caught.value.code == "not_confirmed"
        await asyncio.to_thread(outage.broker.start)
        resumed, _ = outage.publication(resume=True)
        report = await resumed
    assert report.counts.already_there > ROWS / 4
    await outage.assert_all_there_once()


async def test_reading_what_a_dead_broker_had_ends_with_a_sentence(outage: Outage) -> None:
    async with asyncio.timeout(120):
        publishing, _ = outage.publication()
        await publishing
        async with TopicLog(outage.stream, outage.stream.names.events, stall_s=1.0) as log:
            log.seek(await log.beginnings())
            ends = await log.ends()
            await asyncio.to_thread(outage.broker.kill)
            with pytest.raises(BackendUnreachableError, match="stopped answering"):
                await read_all(log, {part: end + 1 for part, end in ends.items()})


async def read_all(log: TopicLog, ends: dict[int, int]) -> None:
    while not await log.passed(ends):
        await log.poll()
