"""Replies that wait: bounded by what they really hold."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from consumer.service import replier
from consumer.service.replier import Replier
from consumer.stream.records import DeadLetter, Outgoing, Record
from contracts.metrics import WORKER_METRICS, Metrics
from contracts.replies import ReplyTo
from tests.streams.lanes import Host, message, settle
from tests.streams.memory import MemoryBroker, MemorySink


async def _finished(value: bytes, letter: DeadLetter | None) -> Record:
    host = Host()
    lane = await host.open(MemorySink(MemoryBroker(), 0))
    lane.admit(message(0))
    await settle()
    (record,) = host.pipeline.inside
    await lane.close(0)
    record.headers = tuple(ReplyTo(0, "gw", "r1").headers())
    record.outgoing = Outgoing("t", 0, None, value, ())
    record.dead_letter = letter
    return record


@pytest.mark.parametrize(
    ("value", "letter"),
    [
        (b"{}" * 100, None),
        (b"as it came", DeadLetter("not_json", "VALUE_CONVERTER", "PermanentError")),
    ],
)
async def test_replies_of_dead_letters_are_crowded_out_too(
    monkeypatch: pytest.MonkeyPatch, value: bytes, letter: DeadLetter | None
) -> None:
    monkeypatch.setattr(replier, "_MOST_WAITING_BYTES", 2_000)
    registry = CollectorRegistry()
    waiting = Replier("address.replies", {}, Metrics(WORKER_METRICS, registry))
    record = await _finished(value, letter)
    for _ in range(100):
        waiting.tell(record)
    left = len(waiting._waiting)
    assert 1 <= left <= 20
    name, labels = "mgeo_replies_total", {"outcome": "crowded_out"}
    assert registry.get_sample_value(name, labels) == 100 - left
    while waiting._waiting:
        waiting._next()
    assert waiting._bytes == 0
