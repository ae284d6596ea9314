"""What each guarantee writes: seen in the broker's own log of offset commits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from contracts.settings import KafkaSettings
from deploy.local import LocalBroker
from tests.brokers.admin import TopicFactory
from tests.integration.test_worker import publish
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

OwnBroker = Callable[..., LocalBroker]
OwnTopics = Callable[[LocalBroker], TopicFactory]

_BATCH = re.compile(r"^baseOffset: .* isTransactional: (true|false) ")
# Keys of type 0 and 1 are offset commits, 2 is the group's own state.
_COMMIT = re.compile(r'key: \{"type":"[01]","data":\{"group":"([^"]+)"')


def offset_commits(one: LocalBroker, group: str) -> list[bool]:
    """For every offset commit of the group in the broker's log: is its batch transactional?"""
    found: list[bool] = []
    for segment in sorted(one.data_dir.glob("__consumer_offsets-*/*.log")):
        dump = one.run_tool(
            "kafka.tools.DumpLogSegments",
            *("--files", str(segment), "--print-data-log", "--offsets-decoder"),
        )
        transactional = False
        for line in dump.splitlines():
            if batch := _BATCH.search(line):
                transactional = batch[1] == "true"
            elif (commit := _COMMIT.search(line)) and commit[1] == group:
                found.append(transactional)
    return found


async def _one_run(
    one: LocalBroker, own_topics: OwnTopics, guarantee: str
) -> tuple[KafkaSettings, list[bool]]:
    names = await asyncio.to_thread(lambda: own_topics(one).create_standard(2))
    stream = KafkaSettings(kafka_bootstrap_servers=one.bootstrap_servers, topic_prefix=names.prefix)
    await write_state(stream, instant.state())
    await publish(stream, 30, each=2)
    async with running_worker(stream, guarantee=guarantee):
        await until_done(stream)
    batches = await asyncio.to_thread(offset_commits, one, stream.names.stable_group)
    return stream, batches


async def test_every_offset_commit_is_transactional_exactly_when_it_must_be(
    own_broker: OwnBroker, own_topics: OwnTopics
) -> None:
    one = await asyncio.to_thread(own_broker)
    stream, exactly = await _one_run(one, own_topics, "exactly_once")
    assert violations(await look(stream)) == []
    assert len(exactly) >= 2
    assert all(exactly)
    stream, at_least = await _one_run(one, own_topics, "at_least_once")
    assert violations(await look(stream)) == [], "without a fault nothing is repeated either"
    assert len(at_least) >= 2
    assert not any(at_least), "the check can tell the difference"
