"""When the log no longer holds what is needed, that is said; nothing is guessed or skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from contracts.errors import FatalError, UsageError
from contracts.settings import KafkaSettings, client_options
from deploy.file_publishing import Order, publish_file
from producer import AddressPublisher, ResultReader
from producer.publishing.journal import Journal, journal_path
from producer.rows import ReadOptions
from producer.settings import ProducerSettings
from tests.brokers.admin import TopicFactory
from tests.streams.stand_in_worker import StandInWorker
from tests.streams.topic import everything

pytestmark = pytest.mark.broker


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(1)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def delete_before(stream: KafkaSettings, topic: str, offset: int) -> None:
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})
    await admin.close()


async def test_a_group_whose_next_result_is_gone_is_told_so(stream: KafkaSettings) -> None:
    async def answer_two_more() -> None:
        before = len(await everything(stream, stream.names.events))
        async with AddressPublisher(stream) as publisher, StandInWorker(stream) as worker:
            await publisher.publish(["京路1号"])
            await publisher.publish(["京路2号"])
            await worker.answer((await everything(stream, stream.names.events))[before:])

    async def read() -> int:
        async with ResultReader(stream, group="g", follow=False) as reader:
            return len([batch async for batch in reader])

    await answer_two_more()
    assert await read() == 2
    await delete_before(stream, stream.names.parsed, 3)  # two results and a marker
    assert await read() == 0  # it had read them all
    await answer_two_more()
    await delete_before(stream, stream.names.parsed, 4)
    with pytest.raises(FatalError, match="the group's next record is 3") as caught:
        await read()
    assert caught.value.code == "records_lost"


async def interrupted(stream: KafkaSettings, path: Path, state: Path, floor: int) -> None:
    """A journal as a run leaves it that was killed before its first checkpoint."""
    settings = ProducerSettings(publish_journal_dir=state)
    await publish_file(Order(str(path), ReadOptions()), stream, settings)
    where = journal_path(state, path, stream.names.events, stream.kafka_bootstrap_servers)
    journal = Journal.model_validate_json(where.read_text())
    changed = {"complete": False, "prefix": 0, "floors": {0: floor}}
    journal.model_copy(update=changed).write(where)


@pytest.mark.parametrize(
    ("floor", "deleted", "code"), [(0, 1, "resume_expired"), (99, 0, "another_topic")]
)
async def test_a_run_that_the_log_cannot_vouch_for_is_not_resumed(
    stream: KafkaSettings, tmp_path: Path, floor: int, deleted: int, code: str
) -> None:
    path = tmp_path / "in.txt"
    path.write_text("京路1号\n", encoding="utf-8")
    await interrupted(stream, path, tmp_path / "state", floor)
    await delete_before(stream, stream.names.events, deleted)
    settings = ProducerSettings(publish_journal_dir=tmp_path / "state", resume_settle_ms=0)
    with pytest.raises(UsageError) as caught:
        await publish_file(Order(str(path), ReadOptions(), resume=True), stream, settings)
    assert caught.value.code == code
    assert "--again" in caught.value.hint
    assert len(await everything(stream, stream.names.events)) == 1 - deleted
