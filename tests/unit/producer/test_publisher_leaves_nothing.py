"""A publisher that is open for months keeps no record of callers who gave up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import TransientError
from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer.publisher import AddressPublisher
from producer.settings import ProducerSettings

SOON_S = 0.02
"""Long for a caller here, short for a confirmation."""


class StandIn:
    """A producer whose confirmations come as the test says."""

    def __init__(self, confirmations: Callable[[int], Any] = lambda _: None) -> None:
        self._confirmations = confirmations
        self.sent = 0

    async def send(self, *_: Any, **__: Any) -> asyncio.Future[Any]:
        self.sent += 1
        confirmation: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        outcome = self._confirmations(self.sent)
        if outcome is not None:
            asyncio.get_running_loop().call_later(4 * SOON_S, confirmation.set_result, outcome)
        return confirmation

    async def stop(self) -> None:
        pass


def opened(
    producer: StandIn, *, patience_s: float = 3 * SOON_S, **changes: Any
) -> AddressPublisher:
    settings = ProducerSettings(publish_confirm_timeout_ms=int(1000 * patience_s), **changes)
    publisher = AddressPublisher(KafkaSettings(), settings)
    publisher._producer = producer  # type: ignore[assignment]  # what of it is used
    return publisher


async def give_up(publisher: AddressPublisher, *, addresses: int = 1) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON_S):
            await publisher.publish(["某路1号"] * addresses)


async def test_records_whose_callers_gave_up_are_not_kept_when_they_fail() -> None:
    publisher = opened(StandIn())

    await asyncio.gather(*(give_up(publisher) for _ in range(100)))
    await asyncio.sleep(6 * SOON_S)

    assert publisher._unconfirmed == set()
    assert publisher._room._value == ProducerSettings().publish_in_flight_records
    with pytest.raises(TransientError) as caught:
        await publisher.__aexit__(None, None, None)
    assert caught.value.code == "not_confirmed", "the first failure that nobody saw"


async def test_a_caller_who_gives_up_between_two_records_leaves_none_of_them() -> None:
    few = Limits(max_addresses=1)
    publisher = opened(StandIn(), publish_in_flight_records=2, limits=few)

    await give_up(publisher, addresses=5)
    await asyncio.sleep(6 * SOON_S)

    assert publisher._unconfirmed == set()


async def test_leaving_waits_for_the_records_of_callers_who_gave_up() -> None:
    there = SimpleNamespace(topic="t", partition=0, offset=1)
    publisher = opened(StandIn(lambda _: there), patience_s=10)

    await give_up(publisher)
    (record,) = publisher._unconfirmed
    await publisher.__aexit__(None, None, None)

    assert record.result().offset == 1
