"""A broker that dies in the middle of a publication costs time, no address and no repeat."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.headers import header
from contracts.settings import KafkaSettings
from deploy.file_publishing import Order, publish_file
from deploy.local import LocalBroker
from producer.rows import ReadOptions
from producer.settings import ProducerSettings
from tests.brokers.admin import TopicFactory
from tests.streams.topic import everything

pytestmark = pytest.mark.broker

ROWS = 3000


async def test_a_broker_killed_in_mid_publication_is_waited_for(
    own_broker: Callable[..., LocalBroker],
    own_topics: Callable[[LocalBroker], TopicFactory],
    tmp_path: Path,
) -> None:
    broker = await asyncio.to_thread(own_broker)
    names = await asyncio.to_thread(own_topics(broker).create_standard, 3)
    stream = KafkaSettings(
        kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=names.prefix
    )
    path = tmp_path / "in.txt"
    path.write_text("".join(f"京路{number}号\n" for number in range(ROWS)), encoding="utf-8")
    sent = asyncio.Event()
    total = 0

    def on_confirmed(addresses: int) -> None:
        nonlocal total
        total += addresses
        if total > ROWS / 4:
            sent.set()

    async with asyncio.timeout(120):
        publishing = asyncio.create_task(
            publish_file(
                Order(str(path), ReadOptions(), batch_addresses=5, rate=1500),
                stream,
                ProducerSettings(publish_journal_dir=tmp_path / "state"),
                on_confirmed=on_confirmed,
            )
        )
        await sent.wait()
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(0.5)
        assert not publishing.done()
        await asyncio.to_thread(broker.start)
        report = await publishing
    assert report.counts.addresses == ROWS
    records = await everything(stream, stream.names.events)
    assert Counter(header(r.headers, "ce_id") for r in records).most_common(1)[0][1] == 1
    assert len(records) == ROWS / 5
