"""`mgeo topics create` never disturbs a control topic that has its first record."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from contracts.control import encode_state, first_state
from contracts.settings import KafkaSettings, client_options
from contracts.topics import CONTROL_KEY
from deploy.doctor.serving import last_record
from deploy.first_state import ensure_first_state
from tests.brokers.admin import TopicFactory
from tests.models.instant import spec

pytestmark = pytest.mark.broker


async def test_a_controller_at_work_is_not_fenced_by_a_repeated_create(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    names = topics.create_standard(1)
    settings = kafka.model_copy(update={"topic_prefix": names.prefix})
    state = first_state(spec(), incarnation="i", updated_at="2026-01-01T00:00:00Z")
    controller = AIOKafkaProducer(
        transactional_id=names.transactional_id("controller", names.control, 0),
        **client_options(kafka),
    )
    assert await last_record(settings) is None
    await controller.start()
    try:
        async with controller.transaction():
            await controller.send_and_wait(names.control, encode_state(state), key=CONTROL_KEY)

        # No model of that version is in the empty home either: none is needed any more.
        assert await asyncio.to_thread(ensure_first_state, settings) is None
        assert await last_record(settings) == encode_state(state)

        async with controller.transaction():  # fenced, this would raise
            await controller.send_and_wait(names.control, encode_state(state), key=CONTROL_KEY)
    finally:
        await controller.stop()
