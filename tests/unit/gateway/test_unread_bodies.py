"""A body that nobody reads ends its connection; every other connection is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer.gateway.app import make_app
from producer.gateway.reading import announces_body
from producer.gateway.server import serve
from producer.gateway.service import Gateway
from producer.gateway.settings import GatewaySettings

SETTINGS = GatewaySettings(port=0, drain_budget_ms=1000)
LONG_S = 5.0
"""Less than every bound on time that the settings have: what ends sooner was ended on purpose."""

UNREAD = [
    "GET /livez",
    "GET /readyz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /parse",
    "POST /nothing",
    "HEAD /livez",
]
BODIES = {
    "by length": "Content-Length: 1000000000",
    "in chunks": "Transfer-Encoding: chunked",
    "asked for first": "Content-Length: 1000000000\r\nExpect: 100-continue",
}


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[int]:
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, SETTINGS, stop, port.set_result, lambda: None))
    try:
        yield await port
    finally:
        stop.set()
        await serving


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with listening(make_app(Gateway(SETTINGS, KafkaSettings(), Limits()))) as port:
        yield port


def request(line: str, *headers: str, body: str = "") -> bytes:
    head = [f"{line} HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


async def until_hung_up(port: int, head: bytes) -> bytes:
    """What comes back while a body drips, until the gateway hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def drip() -> None:
        while True:
            writer.write(b"x" if b"chunked" not in head else b"1\r\nx\r\n")
            await asyncio.sleep(0.05)

    writer.write(head)
    dripping = asyncio.create_task(drip())
    found = b""
    try:
        async with asyncio.timeout(LONG_S):
            while chunk := await reader.read(65_536):
                found += chunk
    except ConnectionError:  # it went on after the end
        pass
    finally:
        dripping.cancel()
        writer.close()
    return found


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("line", UNREAD)
async def test_what_reads_no_body_hangs_up_on_one(port: int, line: str, body: str) -> None:
    answer = await until_hung_up(port, request(line, BODIES[body]))

    assert answer.startswith(b"HTTP/1.1 ")
    assert b"connection: close" in answer.lower()


async def test_the_connection_ends_also_where_the_answer_does_not_say_so() -> None:
    """The last bound: whatever answers without reading, and forgets the header."""

    async def forgetful(scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async with listening(forgetful) as port:
        answer = await until_hung_up(port, request("GET /", BODIES["by length"]))

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_is_kept_where_no_body_was_left(port: int) -> None:
    ordinary = [
        request("GET /livez"),
        request("POST /nothing", "Content-Length: 0"),
        request("GET /openapi.json"),
        # The body was read before it was seen that Kafka is away.
        request("POST /parse", "Content-Length: 17", body='{"address":"abc"}'),
        request("POST /parse", "Content-Length: 2", body="{}"),
        request(
            "POST /events",
            "Transfer-Encoding: chunked",
            body='11\r\n{"address":"abc"}\r\n0\r\n\r\n',
        ),
        request("GET /metrics"),
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(LONG_S):
            for one in ordinary:
                writer.write(one)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                assert b"connection: close" not in head, one
                length = head.split(b"content-length: ")[1].split(b"\r\n")[0]
                await reader.readexactly(int(length))
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("headers", "announced"),
    [
        ([], False),
        ([(b"content-length", b"0")], False),
        ([(b"content-length", b"00")], False),
        ([(b"content-length", b"10")], True),
        ([(b"transfer-encoding", b"chunked")], True),
        ([(b"content-type", b"application/json")], False),
    ],
)
def test_a_body_is_announced_by_its_head(
    headers: list[tuple[bytes, bytes]], announced: bool
) -> None:
    assert announces_body(headers) == announced
