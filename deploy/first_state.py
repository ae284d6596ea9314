"""The first control record: which model serves before anybody has decided anything."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)

from contracts.control import encode_state, first_state
from contracts.errors import BackendUnreachableError
from contracts.headers import cloud_event
from contracts.offset_metadata import OffsetMetadata
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from contracts.topics import CONTROL_KEY

_COORDINATOR_WITHIN_S: Final = 30.0


def ensure_first_state(kafka: KafkaSettings) -> str | None:
    """Write the first control record if the control topic is empty.

    Returns:
        A line for people when a record was written; None when there was one.
    """
    from consumer.settings import ParserSettings
    from consumer.store.first_spec import first_spec
    from deploy.cli.output import note

    # Asked before anything else: a machine without models may repeat the command, and opening the
    # controller's producer would fence a controller that is at work.
    if asyncio.run(_has_record(kafka)):
        return None
    spec = first_spec(ParserSettings(), now=datetime.now(UTC), notice=note)
    return asyncio.run(write_first_state(kafka, spec))


async def write_first_state(kafka: KafkaSettings, spec: ModelSpec) -> str | None:
    """The same with a given spec.

    The writer's transactional id is the controller's: of two that start at once, one is
    fenced before it can write a second first record.

    Raises:
        BackendUnreachableError: Kafka did not answer.
    """
    names = kafka.names
    options = client_options(kafka)
    producer = AIOKafkaProducer(
        transactional_id=names.transactional_id("controller", names.control, 0), **options
    )
    try:
        await producer.start()
        try:
            if await _has_record(kafka):
                return None
            now = datetime.now(UTC)
            state = first_state(
                spec,
                incarnation=uuid.uuid4().hex,
                updated_at=now.isoformat(timespec="seconds"),
                serving_epoch=1 + await _highest_epoch(kafka),
            )
            async with producer.transaction():
                await producer.send_and_wait(
                    names.control,
                    encode_state(state),
                    key=CONTROL_KEY,
                    headers=cloud_event(
                        event_id=f"{state.incarnation}/{state.revision}",
                        source="/mgeo/controller",
                        kind="control",
                        at=now,
                    ),
                )
        finally:
            await producer.stop()
    except (KafkaError, OSError) as error:
        raise BackendUnreachableError(
            f"the first control record was not written: {type(error).__name__}",
            hint="run the command again; it changes nothing that is there",
        ) from error
    return f"serving {spec.name} from now on"


async def _highest_epoch(kafka: KafkaSettings) -> int:
    """The highest serving epoch that any partition has noted; 0 where none has.

    A control topic that was made anew finds the notes of its earlier life still there, and lanes
    wait for the epoch that their partition has reached.
    """
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        offsets = await _offsets(admin, kafka.names.stable_group)
    finally:
        await admin.close()
    notes = [
        OffsetMetadata.decode(one.metadata)
        for pair, one in offsets.items()
        if pair.topic == kafka.names.events
    ]
    return max((note.serving_epoch for note in notes if note is not None), default=0)


async def _offsets(admin: AIOKafkaAdminClient, group: str) -> Mapping[Any, Any]:
    """A group's offsets. A new cluster makes its topic of groups only when it is first asked."""
    deadline = time.monotonic() + _COORDINATOR_WITHIN_S
    while True:
        try:
            offsets: Mapping[Any, Any] = await admin.list_consumer_group_offsets(group)
        except (
            GroupCoordinatorNotAvailableError,
            GroupLoadInProgressError,
            NotCoordinatorForGroupError,
        ):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return offsets


async def _has_record(kafka: KafkaSettings) -> bool:
    """True when a usable or unusable record is there: what exists is never overwritten."""
    partition = TopicPartition(kafka.names.control, 0)
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **client_options(kafka),
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            if await consumer.getmany(timeout_ms=500):
                return True
    finally:
        await consumer.stop()
    return False
