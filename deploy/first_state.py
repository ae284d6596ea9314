"""The first control record: which model serves before anybody has decided anything."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.access import refused_by
from contracts.control import encode_state, first_state
from contracts.errors import BackendUnreachableError
from contracts.headers import cloud_event
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from contracts.topics import CONTROL_KEY
from rollout.group_notes import group_notes


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
        AccessRefusedError: it did, and refused.
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
        refused = await refused_by(error, kafka)
        if refused is not None:
            raise refused from error
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
    group = kafka.names.stable_group
    found = [await group_notes(kafka, group, topic) for topic in kafka.names.inputs]
    return max((note.serving_epoch for one in found for note in one.notes.values()), default=0)


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
