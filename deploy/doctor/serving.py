"""Checks which model the cluster serves, by its control record."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.control import RolloutState, decode_state
from contracts.errors import MgeoError, PermanentError
from contracts.settings import KafkaSettings, client_options
from contracts.topics import standard_topics
from deploy.doctor.finding import Finding, absent, broken, ok
from deploy.local.discovery import kafka_settings
from deploy.topics import TopicAdmin

NAME = "serving"
VERSION_VARIABLE = "MGEO_VERSION"


def serving() -> Iterator[Finding]:
    """The stable model by the control record, and whether MGEO_VERSION says another."""
    try:
        kafka = kafka_settings()
        if not asyncio.run(_has_topic(kafka)):
            return
        record = asyncio.run(last_record(kafka))
    except (MgeoError, KafkaError, OSError):
        return  # no Kafka, or no control topic: another check has said so
    if record is None:
        yield broken(NAME, "no model yet: workers wait", "mgeo topics create")
        return
    try:
        yield judge(decode_state(record), os.environ.get(VERSION_VARIABLE))
    except PermanentError as error:
        yield broken(NAME, f"the control record is unreadable ({error.code})", error.hint)


def judge(state: RolloutState, wanted: str | None) -> Finding:
    """Compare the model that serves with the one that a setting names; the record wins."""
    stable = state.serving.stable
    found = f"{stable.name}, serving epoch {state.serving.serving_epoch}"
    if not wanted or wanted in (stable.version, stable.name):
        return ok(NAME, found)
    hint = (
        f"to change it: mgeo rollout start --candidate {wanted} --policy rollout.yaml; "
        f"or unset {VERSION_VARIABLE}"
    )
    return absent(NAME, f"{found}; {VERSION_VARIABLE} says {wanted}, which is not used", hint)


async def _has_topic(kafka: KafkaSettings) -> bool:
    control = [spec for spec in standard_topics(kafka.names) if spec.name == kafka.names.control]
    async with TopicAdmin(kafka) as admin:
        return bool(await admin.find(control))


async def last_record(kafka: KafkaSettings) -> bytes | None:
    """The newest committed control record, or None on an empty topic.

    Raises KafkaError when Kafka does not answer or has no such topic.
    """
    partition = TopicPartition(kafka.names.control, 0)
    reader = AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=5000,
        **client_options(kafka),
    )
    newest: bytes | None = None
    await reader.start()
    try:
        reader.assign([partition])
        await reader.seek_to_beginning(partition)
        end = (await reader.end_offsets([partition]))[partition]
        while await reader.position(partition) < end:
            for record in (await reader.getmany(timeout_ms=500)).get(partition, []):
                newest = record.value
    finally:
        await reader.stop()
    return newest
