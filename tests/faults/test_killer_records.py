"""A record that kills the process: found, sent away, and nobody else with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from contracts.headers import ERROR_CODE, header
from contracts.settings import KafkaSettings, client_options
from tests.faults.conftest import PARTITIONS, Spawn
from tests.models.instant import KILLER_TEXT
from tests.oracles.stream import look, violations
from tests.streams.eventually import eventually
from tests.streams.load import record_of
from tests.streams.topic import everything
from tests.streams.worker import until_done

pytestmark = pytest.mark.broker


async def _publish(stream: KafkaSettings, killer_at: int | None, records: int) -> bytes:
    """Records round-robin over the partitions; one of them kills. Returns its bytes."""
    killer = b""
    async with AIOKafkaProducer(**client_options(stream)) as producer:
        for number in range(records):
            texts = [(f"{number}-0", f"平安路{number}号"), (f"{number}-1", "中山路1号")]
            if number == killer_at:
                texts[1] = (f"{number}-1", KILLER_TEXT)
            value = record_of(number, texts)
            killer = value if number == killer_at else killer
            await producer.send_and_wait(
                stream.names.events, value, partition=number % PARTITIONS, key=b"k%d" % number
            )
    return killer


async def test_a_record_that_kills_the_process_is_dead_lettered_at_its_fourth_attempt(
    stream: KafkaSettings, spawn: Spawn, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    killer = await _publish(stream, killer_at=20, records=45)
    crashes = 0
    worker = spawn(stream, "--calls", str(starts))

    async def restarted_until_done() -> bool:
        nonlocal worker, crashes
        if not worker.alive:
            crashes += 1
            assert worker.process.returncode == 9, worker.tail()
            worker = spawn(stream, "--calls", str(starts))
        return (await look(stream)).caught_up

    await eventually(restarted_until_done, "the killer is out of the way", timeout_s=90)
    await _publish(stream, killer_at=None, records=6)  # the stream goes on
    await until_done(stream)
    assert worker.terminate() == 0, worker.tail()
    seen = await look(stream)
    assert violations(seen) == []
    (letter,) = await everything(stream, stream.names.dead_letters)
    assert letter.value == killer
    assert letter.key == b"k20"
    assert header(letter.headers, ERROR_CODE) == b"crashed_worker"
    assert len(seen.results) == 50
    rows = [int(line.split()[2]) for line in starts.read_text().splitlines()]
    assert len(rows) == crashes == 3, "started three times; the fourth is the dead letter"
    assert all(count <= 2 for count in rows[1:]), "from its second start it ran alone"
