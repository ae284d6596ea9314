"""A publication killed at any moment and resumed sends everything, and nothing twice."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from contracts.decode import decode_batch
from contracts.errors import UsageError
from contracts.headers import header
from contracts.limits import Limits
from contracts.settings import KafkaSettings
from deploy.file_publishing import Order, Report, publish_file
from producer.rows import ReadOptions
from producer.settings import ProducerSettings
from tests.brokers.admin import TopicFactory
from tests.streams.command import environment
from tests.streams.topic import everything

pytestmark = pytest.mark.broker

ROWS = 6000
BATCH = 5


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(3)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


@pytest.fixture
def addresses(tmp_path: Path) -> Path:
    path = tmp_path / "addresses.csv"
    rows = "".join(f"r{number},某市某路{number}号,k{number % 7}\n" for number in range(ROWS))
    path.write_text("id,address,key\n" + rows, encoding="gb18030")
    return path


async def start(
    path: Path, stream: KafkaSettings, state: Path, *options: str
) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "deploy.cli", "publish", str(path)]
    command += ["--batch-size", str(BATCH), *options]
    return await asyncio.create_subprocess_exec(
        *command,
        env=environment(stream, state),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def kill_after_first_sends(
    process: asyncio.subprocess.Process, stream: KafkaSettings, before: int, delay: float
) -> None:
    """Kill it some time after it began to send; it may be faster than that."""
    from producer.topic_log import TopicLog

    async with TopicLog(stream, stream.names.events) as log:
        deadline = time.monotonic() + 30
        while sum((await log.ends()).values()) == before and process.returncode is None:
            assert time.monotonic() < deadline, "nothing was sent in 30 s"
            await asyncio.sleep(0.01)
    await asyncio.sleep(delay)
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.communicate()


async def published_ids(stream: KafkaSettings) -> tuple[Counter[bytes | None], list[str]]:
    records = await everything(stream, stream.names.events)
    events = Counter(header(record.headers, "ce_id") for record in records)
    rows = [a.id for record in records for a in decode_batch(record.value, Limits()).addresses]
    return events, rows


@pytest.mark.parametrize("keyed", [False, True], ids=["without key", "with key"])
async def test_killed_again_and_again_everything_arrives_exactly_once(
    stream: KafkaSettings, addresses: Path, tmp_path: Path, keyed: bool
) -> None:
    rng = random.Random(20260101 + keyed)
    options = ("--rate", "1500", *(("--key-column", "key") if keyed else ()))
    sent = 0
    for attempt in range(4):
        resume = ("--resume",) if attempt else ()
        process = await start(addresses, stream, tmp_path / "state", *options, *resume)
        await kill_after_first_sends(process, stream, sent, rng.uniform(0.0, 0.6))
        assert process.returncode == -signal.SIGKILL
        sent = len(await everything(stream, stream.names.events))
        _, rows = await published_ids(stream)
        assert 0 < len(rows) < ROWS
    process = await start(addresses, stream, tmp_path / "state", *options[2:], "--resume")
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    events, rows = await published_ids(stream)
    assert max(events.values()) == 1
    assert Counter(rows) == Counter(f"r{number}" for number in range(ROWS))
    if keyed:
        for key in range(7):
            mine = [row for row in rows if int(row[1:]) % 7 == key]
            assert mine == sorted(mine, key=lambda row: int(row[1:]))


async def test_an_interrupted_person_is_told_how_to_go_on(
    stream: KafkaSettings, addresses: Path, tmp_path: Path
) -> None:
    process = await start(addresses, stream, tmp_path / "state", "--rate", "1000")
    async with asyncio.timeout(60):
        while not await everything(stream, stream.names.events):  # noqa: ASYNC110  (the log's)
            await asyncio.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert process.returncode == 130
    assert "--resume" in errors.decode()
    await resumed_in_process(addresses, stream, tmp_path / "state", resume=True)
    events, rows = await published_ids(stream)
    assert max(events.values()) == 1
    assert len(rows) == ROWS


async def resumed_in_process(
    path: Path, stream: KafkaSettings, state: Path, **options: bool
) -> Report:
    settings = ProducerSettings(publish_journal_dir=state, resume_settle_ms=300)
    order = Order(str(path), ReadOptions(), batch_addresses=BATCH, **options)  # type: ignore[arg-type]
    return await publish_file(order, stream, settings)


async def test_negative_control_a_resume_that_trusts_the_journal_alone_sends_twice(
    stream: KafkaSettings, addresses: Path, tmp_path: Path
) -> None:
    # One batch after the last checkpoint is enough, and there are several in 100 ms.
    process = await start(addresses, stream, tmp_path / "state", "--rate", "3000")
    await kill_after_first_sends(process, stream, 0, 0.5)
    await resumed_in_process(addresses, stream, tmp_path / "state", resume=True, read_log=False)
    events, rows = await published_ids(stream)
    assert max(events.values()) == 2
    assert set(rows) == {f"r{number}" for number in range(ROWS)}


async def test_an_interrupted_run_is_not_forgotten_by_accident(
    stream: KafkaSettings, addresses: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    process = await start(addresses, stream, state, "--rate", "3000")
    await kill_after_first_sends(process, stream, 0, 0.0)
    with pytest.raises(UsageError, match="interrupted") as caught:
        await resumed_in_process(addresses, stream, state)
    assert "--resume" in caught.value.hint
    with pytest.raises(UsageError, match="another batch_addresses"):
        await publish_file(
            Order(str(addresses), ReadOptions(), batch_addresses=7, resume=True),
            stream,
            ProducerSettings(publish_journal_dir=state),
        )
    with addresses.open("a", encoding="gb18030") as file:
        file.write("new,某路1号,k\n")
    with pytest.raises(UsageError, match="has changed"):
        await resumed_in_process(addresses, stream, state, resume=True)
    report = await resumed_in_process(addresses, stream, state, again=True)
    assert report.counts.addresses == ROWS + 1


async def test_a_finished_run_resumed_sends_nothing_and_repeated_sends_all(
    stream: KafkaSettings, addresses: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    first = await resumed_in_process(addresses, stream, state)
    resumed = await resumed_in_process(addresses, stream, state, resume=True)
    assert (resumed.counts.addresses, resumed.counts.already_there) == (0, ROWS)
    assert resumed.run_id == first.run_id
    repeated = await resumed_in_process(addresses, stream, state)
    assert repeated.counts.addresses == ROWS
    assert repeated.run_id != first.run_id


async def test_two_processes_do_not_publish_one_file_at_once(
    stream: KafkaSettings, addresses: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    process = await start(addresses, stream, state, "--rate", "1000")
    try:
        while not list(state.glob("*.json")):  # noqa: ASYNC110  (another process makes it)
            await asyncio.sleep(0.02)
        with pytest.raises(UsageError, match="by another process"):
            await resumed_in_process(addresses, stream, state, resume=True)
    finally:
        process.kill()
        await process.communicate()
