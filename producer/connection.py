"""Connecting to Kafka, and saying in our own words what went wrong there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import errors as kafka_errors

from contracts.access import not_authorized, refusal, why_refused
from contracts.errors import (
    BackendUnreachableError,
    FatalError,
    MgeoError,
    PermanentError,
    TransientError,
    UsageError,
)
from contracts.settings import KafkaSettings


async def connect(client: Any, kafka: KafkaSettings) -> None:
    """Start an aiokafka producer, consumer or admin client; leaves nothing open on failure.

    Raises:
        BackendUnreachableError: no broker answers.
        AccessRefusedError: it answers and will not have us; the code says why.
    """
    keep_addresses_out_of_logs()
    try:
        with translated(kafka):
            await client.start()
    except BaseException as error:
        await (client.stop() if hasattr(client, "stop") else client.close())
        if isinstance(error, BackendUnreachableError):
            # aiokafka says the same of a wrong password as of a broker that is away.
            refused = await why_refused(kafka)
            if refused is not None:
                raise refused from error
        raise


async def close(producer: Any, patience_s: float = 5.0) -> None:
    """Close a producer; one whose records Kafka does not take any more is given up.

    Args:
        patience_s: how long what is left may take. Callers have awaited their records before.
    """
    try:
        async with asyncio.timeout(patience_s):
            await producer.stop()
    except TimeoutError:
        # stop() waits without end for the last record; aiokafka has no public way to give up.
        await producer._sender.close()
        await producer.client.close()


async def close_reader(consumer: Any, patience_s: float = 10.0) -> None:
    """Close a consumer. With its broker away, aiokafka raises here what its own tasks met,
    cancellations included; a reader has nothing left to lose by that.
    """
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait([stopping], timeout=patience_s)
    if stopping.done() and not stopping.cancelled():
        stopping.exception()


async def require_topic(producer: Any, topic: str) -> int:
    """The number of partitions of a topic.

    Raises:
        UsageError: ``no_topic`` when Kafka does not know it within 5 s; a topic that was
            created just now can take a moment to be known everywhere.
        AccessRefusedError: this user may not see it.
    """
    try:
        async with asyncio.timeout(5):
            return len(await producer.partitions_for(topic))
    except kafka_errors.TopicAuthorizationFailedError:
        raise not_authorized("topic", topic) from None
    except TimeoutError:
        raise no_topic(topic) from None


def no_topic(topic: str) -> UsageError:
    """The error for a topic that is not there."""
    return UsageError(
        f"the topic {topic} does not exist",
        code="no_topic",
        hint="create the topics with `mgeo topics create`, or check --topic-prefix",
    )


def keep_addresses_out_of_logs() -> None:
    """aiokafka logs keys and values at DEBUG: they are personal data."""
    logger = logging.getLogger("aiokafka")
    logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))


@contextmanager
def translated(kafka: KafkaSettings) -> Iterator[None]:
    """Turn aiokafka's errors inside into this project's."""
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise translate(error, kafka) from error


def translate(error: kafka_errors.KafkaError, kafka: KafkaSettings) -> MgeoError:
    """This project's error for one of aiokafka's."""
    refused = refusal(error, kafka)
    if refused is not None:
        return refused
    name = type(error).__name__
    match error:
        case kafka_errors.KafkaConnectionError() | kafka_errors.NodeNotReadyError():
            return BackendUnreachableError(
                f"Kafka does not answer at {kafka.kafka_bootstrap_servers}",
                hint="start one with `mgeo up`, or set MGEO_KAFKA_BOOTSTRAP_SERVERS",
            )
        case kafka_errors.UnknownTopicOrPartitionError():
            return UsageError(
                "the topic does not exist",
                code="no_topic",
                hint="create the topics with `mgeo topics create`, or check --topic-prefix",
            )
        case kafka_errors.MessageSizeTooLargeError() | kafka_errors.RecordListTooLargeError():
            return PermanentError(
                "the record is larger than the topic accepts",
                code="record_too_large",
                hint="`mgeo topics check` says whether the topic has the size that it must have",
            )
        case kafka_errors.OffsetOutOfRangeError():
            return FatalError(
                "records that were to be read are gone from the log",
                code="records_lost",
                hint="the topic's retention is shorter than the time that nobody read it",
            )
        case _ if error.retriable:
            return TransientError(f"Kafka answered {name}", code="kafka_transient")
        case _:
            return FatalError(f"Kafka answered {name}", code="kafka_error")
