"""What a gateway does not let happen: no hang, no flood, no wrong caller, no word of an address."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.streams.eventually import eventually
from tests.streams.gateway import RunningGateway, running_gateway
from tests.streams.stand_in_replier import (
    FIRST_STATE,
    Replier,
    running_replier,
    stream_with_state,
)
from tests.streams.worker import write_state

pytestmark = pytest.mark.broker

BOUNDS = {
    "timeout_ms": 30_000,
    "max_wait_ms": 30_000,
    "max_body_bytes": 4096,
    "max_head_bytes": 4096,
    "head_timeout_ms": 700,
    "body_timeout_ms": 700,
    "max_connections": 40,
}
CANARY = "金丝雀机密路"


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    return await stream_with_state(kafka, topics, partitions=1)


@pytest.fixture
async def replier(stream: KafkaSettings) -> AsyncIterator[Replier]:
    async with running_replier(stream) as replier:
        yield replier


@pytest.fixture
async def gateway(stream: KafkaSettings, replier: Replier) -> AsyncIterator[RunningGateway]:
    async with running_gateway(stream, **BOUNDS) as gateway:
        await gateway.warm()
        replier.records.clear()
        yield gateway


async def raw(gateway: RunningGateway, data: bytes, *more: bytes, pause_s: float = 0.0) -> bytes:
    """What comes back until the gateway closes the connection, in at most 20 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(data)
        for part in more:
            await asyncio.sleep(pause_s)
            writer.write(part)
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(length: int, *lines: str) -> bytes:
    return "\r\n".join(
        [
            "POST /parse HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            f"Content-Length: {length}",
            *lines,
            "",
            "",
        ]
    ).encode()


async def test_bombs_are_refused_within_their_bounds_and_the_gateway_serves_on(
    gateway: RunningGateway,
) -> None:
    zipped = gzip.compress(b'{"address":"' + b"a" * 10_000_000 + b'"}')
    bodies: list[tuple[bytes, dict[str, str], int]] = [
        (b'{"address":"' + b"a" * 5000 + b'"}', {}, 413),
        (zipped[:3000], {"content-encoding": "gzip"}, 415),
        (b"[" * 4000, {}, 400),
        (b'{"address":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}", {}, 400),
        (b'{"address":' + b"9" * 4000 + b"}", {}, 400),
        (b'{"address":1e999}', {}, 400),
        (b'{"address":"a","address":"b"}', {}, 400),
        (b'{"address":"\\ud800"}', {}, 422),
        (b"\xff\xfe", {}, 400),
        (b"address=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ]
    async with gateway.client(headers={"content-type": "application/json"}) as client:
        for content, headers, status in bodies:
            found = await client.post("/parse", content=content, headers=headers)
            assert found.status_code == status, (content[:20], found.text)
            assert found.headers["content-type"] == "application/problem+json"
            assert found.json()["status"] == status

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100_000):
                yield b" " * 1024

        try:
            found = await client.post("/parse", content=endless())
        except httpx.HTTPError:  # it had hung up before everything was sent
            pass
        else:
            assert found.status_code == 413
        assert (await client.post("/parse", json={"address": "京"})).status_code == 200


async def test_a_flood_of_headers_and_what_is_no_http_are_told_and_cut_off(
    gateway: RunningGateway,
) -> None:
    lines = [f"X-{n}: {'y' * 100}" for n in range(100)]
    at_once = await raw(gateway, head(0, *lines))
    # What never ends is cut off by another bound; a client that goes on sending may be reset
    # before it reads why, so this one stops.
    endless = await raw(gateway, head(0, *lines).removesuffix(b"\r\n\r\n"))
    for flood in (at_once, endless):
        assert flood.startswith(b"HTTP/1.1 431 ")
        assert b'"code":"head_too_large"' in flood
    noise = await raw(gateway, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")

    assert b"application/problem+json" in noise
    assert b'"code":"bad_http"' in noise


async def test_slow_heads_and_slow_bodies_end_by_their_time(gateway: RunningGateway) -> None:
    slow_body = await raw(gateway, head(100), b"{")
    drip = [b"X: 1\r\n"] * 8
    slow_head = await raw(gateway, b"POST /parse HTTP/1.1\r\n", *drip, pause_s=0.2)
    silent = await raw(gateway, b"")

    assert slow_body.startswith(b"HTTP/1.1 408 ")
    assert slow_head == b""
    assert silent == b""


async def test_more_connections_than_allowed_are_turned_away_and_let_in_again(
    gateway: RunningGateway,
) -> None:
    held = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(45)]
    refused = [reader for reader, _ in held if reader.at_eof() or reader._buffer]  # type: ignore[attr-defined]
    await asyncio.sleep(0.3)
    refused = [reader for reader, _ in held if reader._buffer]  # type: ignore[attr-defined]  # what came unread
    assert 1 <= len(refused) <= 10
    assert b" 503 " in bytes(refused[0]._buffer)  # type: ignore[attr-defined]
    for _, writer in held:
        writer.close()

    async def served() -> bool:
        async with gateway.client() as client:
            return (await client.post("/parse", json={"address": "京"})).status_code == 200

    await eventually(served, "served again")


async def test_a_deadline_is_kept_when_nobody_answers(
    gateway: RunningGateway, replier: Replier
) -> None:
    replier.paused.clear()
    began = time.monotonic()
    async with gateway.client() as client:
        found = await asyncio.gather(
            client.post("/parse", json={"address": "京"}, headers={"x-mgeo-timeout-ms": "300"}),
            client.post("/parse/batch", json={"addresses": ["京"]}, headers={"prefer": "wait=1"}),
        )
    took = time.monotonic() - began
    replier.paused.set()

    assert [one.status_code for one in found] == [504, 504]
    assert [one.json()["code"] for one in found] == ["deadline_exceeded"] * 2
    assert 0.9 < took < 20


async def test_a_client_that_leaves_frees_its_slot_and_is_counted(
    gateway: RunningGateway, replier: Replier
) -> None:
    replier.paused.clear()
    body = json.dumps({"address": "京"}).encode()
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(head(len(body)) + body)
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()

    async def gone() -> bool:
        return await gateway.metric("mgeo_gateway_gone_clients_total") == 5

    await eventually(gone, "five clients left")
    desk = gateway.gateway.desk
    assert desk._futures == {}
    replier.paused.set()

    async def idle() -> bool:
        return await gateway.metric("mgeo_gateway_pending_addresses") == 0

    await eventually(idle, "nothing waits")


async def test_a_second_reply_finds_nobody(gateway: RunningGateway, replier: Replier) -> None:
    replier.twice = True
    async with gateway.client() as client:
        found = [
            (await client.post("/parse", json={"address": "京"})).status_code for _ in range(5)
        ]

    assert found == [200] * 5

    async def late() -> bool:
        async with gateway.client() as client:
            text = (await client.get("/metrics")).text
        return 'mgeo_gateway_replies_total{outcome="late"} 5.0' in text

    await eventually(late, "five replies came too late")


async def test_a_record_that_no_worker_could_process_is_told_with_its_code(
    gateway: RunningGateway, replier: Replier
) -> None:
    replier.refuse_with = "crashed_worker"
    async with gateway.client() as client:
        found = await client.post("/parse", json={"address": "京"})

    assert (found.status_code, found.json()["code"]) == (500, "crashed_worker")


async def test_paths_methods_and_headers_that_are_none_are_told(gateway: RunningGateway) -> None:
    async with gateway.client() as client:
        found = {
            "path": await client.get("/nothing"),
            "slash": await client.post("/parse/", json={"address": "京"}),
            "method": await client.get("/parse"),
            "timeout": await client.post(
                "/parse", json={"address": "京"}, headers={"x-mgeo-timeout-ms": "soon"}
            ),
            "version": await client.post(
                "/parse", json={"address": "京"}, headers={"x-mgeo-version": "newest"}
            ),
        }

    statuses = {name: one.status_code for name, one in found.items()}
    assert statuses == {"path": 404, "slash": 404, "method": 405, "timeout": 422, "version": 422}
    assert found["method"].headers["allow"] == "POST"
    assert found["timeout"].json()["errors"][0]["field"] == "X-MGeo-Timeout-Ms"
    for one in found.values():
        assert one.headers["content-type"] == "application/problem+json"
        assert one.headers["x-request-id"]


async def test_without_a_worker_or_a_model_or_kafka_the_answer_is_503_at_once(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    names = topics.create_standard(partitions=1)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    away = KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1")

    async def told(gateway: RunningGateway) -> tuple[int, str]:
        async with gateway.client() as client:
            found = await client.post("/parse", json={"address": "京"})
        assert found.headers["retry-after"] == "1"
        return found.status_code, found.json()["code"]

    async with running_gateway(stream) as gateway, running_gateway(away) as lonely:
        for one in (gateway, lonely):
            await one.listening()
        assert await told(lonely) == (503, "backend_unreachable")
        await eventually(lambda: equals(told(gateway), (503, "no_first_state")), "no model")
        await write_state(stream, FIRST_STATE)
        await eventually(lambda: equals(told(gateway), (503, "no_workers")), "no worker")
        async with gateway.client() as client:
            accepted = await client.post("/events", json={"addresses": ["京"]})
        assert accepted.status_code == 202


async def equals(found: object, wanted: object) -> bool:
    return await found == wanted  # type: ignore[misc]  # an awaitable


async def test_what_is_taken_in_is_finished_when_the_gateway_is_told_to_stop(
    stream: KafkaSettings, replier: Replier
) -> None:
    async with running_gateway(stream, **BOUNDS) as gateway:
        await gateway.warm()
        replier.paused.clear()
        async with gateway.client() as client:
            asked = asyncio.create_task(client.post("/parse", json={"address": "京"}))
            await asyncio.sleep(0.5)
            gateway.stop.set()
            await asyncio.sleep(0.5)
            replier.paused.set()
            assert (await asked).status_code == 200


async def test_backlog_over_its_bound_is_429_with_when_to_come_back(
    stream: KafkaSettings, replier: Replier
) -> None:
    async with running_gateway(stream, max_pending_addresses=10) as gateway:
        await gateway.warm()
        replier.paused.clear()
        async with gateway.client() as client:
            tasks = [
                asyncio.create_task(
                    client.post(
                        "/parse",
                        json={"address": f"{n}路"},
                        headers={"x-mgeo-timeout-ms": "3000"},
                    )
                )
                for n in range(30)
            ]
            answers = await asyncio.gather(*tasks)
        replier.paused.set()

    codes = [one.status_code for one in answers]
    assert set(codes) == {429, 504}
    assert codes.count(504) == 10
    assert all(int(one.headers["retry-after"]) >= 1 for one in answers if one.status_code == 429)


async def test_no_word_of_an_address_is_in_a_log_line_a_metric_or_a_header(
    gateway: RunningGateway,
    replier: Replier,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):  # the test's own client
        logging.getLogger(name).setLevel(logging.CRITICAL)
    seen: list[str] = []
    async with gateway.client() as client:
        for body in (
            {"address": CANARY},
            {"address": CANARY * 300},
            {"adress": CANARY},
            {"address": CANARY, CANARY: CANARY},
            {"addresses": [CANARY, {"id": CANARY, "text": CANARY}, [CANARY]]},
        ):
            for path in ("/parse", "/parse/batch", "/events", f"/{CANARY}"):
                found = await client.post(path, json=body)
                seen.append(str(found.headers))
                if found.status_code >= 400:
                    seen.append(found.text)
        replier.refuse_with = "not_json"
        seen.append((await client.post("/parse", json={"address": CANARY})).text)
        seen.append((await client.get("/metrics")).text)
    printed = capsys.readouterr()
    everything = "\n".join([*seen, *caplog.messages, printed.out, printed.err])

    assert CANARY not in everything
    assert "%E9%87%91" not in everything
    for record in replier.records:
        assert all(CANARY.encode() not in value for _, value in record.headers)
