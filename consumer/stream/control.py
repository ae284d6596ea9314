"""Follows the control topic: which state is the newest good one. Reads only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumer.stream.waiting import let_go
from contracts.access import refusal
from contracts.control import RolloutState, decode_state, supersedes
from contracts.errors import PermanentError
from contracts.logs import get_logger
from contracts.metrics import Metrics

_log = get_logger(__name__)

LOOK_AGAIN_S: Final = 20.0
"""How often the newest record is read again. A topic that was made anew can be exactly as long as
the old one had been read: then its first record lies behind the reader, and nothing else tells."""


async def follow_control(
    topic: str,
    client_options: Mapping[str, Any],
    metrics: Metrics,
    on_state: Callable[[RolloutState], None],
    *,
    look_again_s: float = LOOK_AGAIN_S,
) -> None:
    """Hand on every state to follow, in order, until cancelled.

    Of what was written before the call only the newest good state is handed on. A record
    that cannot be used is counted and logged; the last good state stays in force.

    Args:
        topic: the full name.
        client_options: how Kafka is reached.
        metrics: where unusable records are counted.
        on_state: takes each state.
        look_again_s: how often the newest record is read again, in seconds.

    Raises:
        AccessRefusedError: this user may not read the topic.
    """
    partition = TopicPartition(topic, 0)
    current: RolloutState | None = None
    while True:
        consumer = AIOKafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **client_options,
        )
        try:
            await consumer.start()
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            pending = None
            caught_up = False  # for good: a topic that is made anew is shorter than it was
            newest: int | None = None  # offset of the last good record
            unread = 0  # one past the highest offset that was looked at
            looked_at = time.monotonic()
            while True:
                for message in (await consumer.getmany(timeout_ms=500)).get(partition, []):
                    state = _read(message.value, metrics if message.offset >= unread else None)
                    unread = max(unread, message.offset + 1)
                    if state is None:
                        continue
                    newest = message.offset
                    if supersedes(state, pending or current):
                        pending = state
                        if newest < unread - 1:  # where another record was
                            _log.warning("the control topic was made anew")
                            unread = newest + 1
                # Transaction markers occupy offsets: the position, not a record, tells.
                caught_up = caught_up or await consumer.position(partition) >= end
                if not caught_up:
                    continue
                if pending is not None:
                    current, pending = pending, None
                    on_state(current)
                elif newest is not None and time.monotonic() - looked_at >= look_again_s:
                    looked_at = time.monotonic()
                    consumer.seek(partition, newest)
        except (KafkaError, OSError) as error:
            refused = refusal(error)
            if refused is not None:
                raise refused from error
            _log.warning("control topic unreachable", error=type(error).__name__)
            await asyncio.sleep(1.0)
        finally:
            await let_go(consumer.stop(), 5.0)


def _read(value: bytes | None, metrics: Metrics | None) -> RolloutState | None:
    """The state in a record, if it can be used; without metrics nothing is said of one that
    cannot."""
    try:
        return decode_state(value)
    except PermanentError as error:
        if metrics is not None:
            metrics.counter("mgeo_control_errors").labels(code=error.code).inc()
            _log.error("control record not usable", code=error.code)
        return None
