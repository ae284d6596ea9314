"""Whatever the bounds are set to, a single request is published or told why not, at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from contracts.decode import decode_batch
from contracts.headers import Header
from contracts.limits import KIB, MIB, Limits
from contracts.metrics import GATEWAY_METRICS, Metrics
from producer.gateway.desk import Desk, Identity
from producer.gateway.problem import ProblemError
from producer.gateway.settings import GatewaySettings
from producer.gateway.versions import ANY
from tests.streams.eventually import eventually

LONG_S = 600.0
"""No test here waits so long: who is told nothing until then is not told."""


class Sent:
    """A desk and what it has published. Nobody replies."""

    def __init__(self, limits: Limits, **changes: Any) -> None:
        settings = GatewaySettings(**{"max_wait_ms": 60_000, "window_ms": 1, **changes})
        metrics = Metrics(GATEWAY_METRICS, CollectorRegistry())
        self.limits = limits
        self.values: list[bytes] = []
        self.desk = Desk(Identity("f" * 32, 0), "t", settings, limits, self._send, metrics)

    async def _send(self, value: bytes, headers: list[Header]) -> None:
        del headers
        self.values.append(value)

    async def told(self, texts: list[str]) -> Counter[str]:
        """What the callers of these are told once all is on its way; then they leave."""
        left = asyncio.get_running_loop().create_future()

        async def one(text: str) -> str:
            try:
                await self.desk.parse(text, ANY, time.monotonic() + LONG_S, gone=left)
            except ProblemError as error:
                return error.code
            except asyncio.CancelledError:
                return "waits"
            return "answered"

        asked = [asyncio.create_task(one(text)) for text in texts]
        await asyncio.sleep(0)

        async def on_its_way() -> bool:
            return not self.desk._coalescer.addresses and not self.desk._sending

        await eventually(on_its_way, "no window is open", every_s=0.01)
        left.set_result(None)
        return Counter(await asyncio.gather(*asked))

    def texts(self) -> list[str]:
        """Those in the records, each of which a worker would read."""
        batches = [decode_batch(value, self.limits) for value in self.values]
        return sorted(one.text for batch in batches for one in batch.addresses)


@pytest.mark.parametrize(
    ("limits", "changes"),
    [
        (Limits(), {"window_bytes": MIB, "window_addresses": 1000}),
        (Limits(max_record_bytes=64 * KIB), {}),
        (Limits(max_record_bytes=5 * KIB), {"source": '"' * 200}),
        (Limits(max_addresses=7), {"window_bytes": MIB}),
    ],
)
@pytest.mark.parametrize("filling", ["路" * 900, '"' * 900, "\\" * 400, "路"])
async def test_all_that_is_taken_in_is_published_in_records_that_fit(
    limits: Limits, changes: dict[str, Any], filling: str
) -> None:
    sent = Sent(limits, **changes)
    texts = [f"{number:04d}{filling}" for number in range(400)]

    told = await sent.told(texts)

    assert sent.texts() == texts
    assert all(len(value) <= limits.max_record_bytes for value in sent.values)
    assert told == {"waits": 400}
    assert sent.desk._futures == {}


async def test_records_are_filled() -> None:
    sent = Sent(Limits(), window_bytes=MIB, window_addresses=1000)
    await sent.told([f"{number:04d}" + "路" * 900 for number in range(386)])

    assert len(sent.values) == 2
    assert len(sent.values[0]) > 0.99 * MIB


async def test_an_address_that_no_record_can_hold_is_told_and_takes_no_other_along() -> None:
    sent = Sent(Limits(max_record_bytes=2 * KIB))

    told = await sent.told(["某路", "路" * 900, "某街"])

    assert told == {"waits": 2, "record_too_large": 1}
    assert sent.texts() == ["某街", "某路"]
    assert sent.desk._futures == {}


@pytest.mark.parametrize("window_ms", [0, 1])
async def test_what_cannot_be_published_is_told_also_where_the_timer_finds_it(
    window_ms: float,
) -> None:
    """Ids of one digit: a record of ten addresses cannot be made."""
    sent = Sent(Limits(max_id_chars=1), window_ms=window_ms)

    told = await sent.told([f"某路{number}号" for number in range(10)])

    assert told == ({"bad_id": 10} if window_ms else {"waits": 10})
    assert sent.desk._futures == {}
