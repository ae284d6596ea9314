"""The oracle of the stream, as the tests call it: the product's own books, on a test's topics.

`test_stream_oracle.py` shows that it says no to every kind of damage.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from contracts.settings import KafkaSettings
from deploy.ledger import Books as StreamSeen
from deploy.ledger import Output, committed_offsets, dead_letter_of, result_of, violations
from deploy.ledger import read_books as look

__all__ = [
    "Output",
    "StreamSeen",
    "backlog",
    "dead_letter_of",
    "look",
    "result_of",
    "violations",
]


async def backlog(kafka: KafkaSettings, seen_ends: Mapping[TopicPartition, int]) -> int:
    """Input records not yet committed, by the given ends."""
    committed = await committed_offsets(kafka, kafka.names.stable_group, kafka.names.events)
    return sum(end - max(committed.get(tp.partition, 0), 0) for tp, end in seen_ends.items())
