"""Follows the control topic: which state is the newest good one. Reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumer.stream.waiting import let_go
from contracts.access import refusal
from contracts.control import RolloutState, decode_state, supersedes
from contracts.errors import PermanentError
from contracts.logs import get_logger
from contracts.metrics import Metrics

_log = get_logger(__name__)


async def follow_control(
    topic: str,
    client_options: Mapping[str, Any],
    metrics: Metrics,
    on_state: Callable[[RolloutState], None],
) -> None:
    """Hand on every state to follow, in order, until cancelled.

    Of what was written before the call only the newest good state is handed on. A record
    that cannot be used is counted and logged; the last good state stays in force.

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
            while True:
                for message in (await consumer.getmany(timeout_ms=500)).get(partition, []):
                    state = _read(message.value, metrics)
                    if state is not None and supersedes(state, pending or current):
                        pending = state
                # Transaction markers occupy offsets: the position, not a record, tells.
                if pending is not None and await consumer.position(partition) >= end:
                    current, pending = pending, None
                    on_state(current)
        except (KafkaError, OSError) as error:
            refused = refusal(error)
            if refused is not None:
                raise refused from error
            _log.warning("control topic unreachable", error=type(error).__name__)
            await asyncio.sleep(1.0)
        finally:
            await let_go(consumer.stop(), 5.0)


def _read(value: bytes | None, metrics: Metrics) -> RolloutState | None:
    try:
        return decode_state(value)
    except PermanentError as error:
        metrics.counter("mgeo_control_errors").labels(code=error.code).inc()
        _log.error("control record not usable", code=error.code)
        return None
