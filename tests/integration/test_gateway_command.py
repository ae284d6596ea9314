"""`mgeo gateway` as a process: it says its port, serves, and leaves with 0 when told to."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from contracts.settings import KafkaSettings
from contracts.tracing import configure_traces
from tests.brokers.admin import TopicFactory
from tests.streams.command import environment
from tests.streams.eventually import eventually
from tests.streams.gateway import running_gateway
from tests.streams.stand_in_replier import running_replier, stream_with_state

pytestmark = pytest.mark.broker


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    return await stream_with_state(kafka, topics, partitions=1)


def started(stream: KafkaSettings, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "gateway", "--port", "0"],
            env={**environment(stream, log.parent), "MGEO_LOG_FORMAT": "json"},
            stdin=subprocess.DEVNULL,
            stderr=file,
        )


async def test_it_serves_until_it_is_told_to_stop_and_leaves_with_0(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = started(stream, log)
    try:
        port = 0

        async def listening() -> bool:
            nonlocal port
            said = [json.loads(line) for line in log.read_text().splitlines()]
            port = next((line["port"] for line in said if line["event"] == "listening"), 0)
            return port > 0

        await eventually(listening, "it says its port")
        async with (
            running_replier(stream),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=70) as client,
        ):

            async def answered() -> bool:
                found = await client.post(
                    "/parse", json={"address": "京"}, headers={"x-mgeo-timeout-ms": "20000"}
                )
                return found.status_code == 200

            await eventually(answered, "an answer", timeout_s=60)
            assert (await client.get("/openapi.json")).json()["openapi"] == "3.1.0"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 40) == 0, log.read_text()
    finally:
        process.kill()


def test_a_port_that_is_taken_is_told_with_what_to_do(
    kafka: KafkaSettings, tmp_path: Path, unused_tcp_port: int
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_tcp_port))
        taken.listen()
        left = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "gateway", "--port", str(unused_tcp_port)],
            env=environment(kafka, tmp_path),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert left.returncode not in (0, 1)
    assert "choose another with --port" in left.stderr


async def test_one_trace_leads_from_the_request_to_the_record(stream: KafkaSettings) -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from contracts.headers import traceparent_of

    spans = InMemorySpanExporter()
    configure_traces("test", exporter=spans)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    try:
        async with running_replier(stream) as replier, running_gateway(stream) as gateway:
            await gateway.warm()
            replier.records.clear()
            async with gateway.client() as client:
                found = await client.post(
                    "/parse",
                    json={"address": "京"},
                    headers={
                        "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
                        "x-mgeo-timeout-ms": "30000",
                    },
                )
            assert found.status_code == 200
            (record,) = replier.records
    finally:
        configure_traces("test").close()

    carried = traceparent_of(record.headers)
    assert carried is not None
    assert carried.decode().split("-")[1] == trace
    mine = [one for one in spans.get_finished_spans() if f"{one.context.trace_id:032x}" == trace]
    assert {one.name for one in mine} == {"POST /parse", f"{stream.names.interactive} send"}
