"""Real models change behind the HTTP front door while people ask; no address goes astray."""

from __future__ import annotations

import asyncio
import collections
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import orjson
import pytest

from contracts.settings import KafkaSettings
from deploy.demo.processes import Services, environment_of, until_ready
from deploy.demo.roles import People
from deploy.demo.story import FIRST, SECOND, SHADOW_TOKEN_BUDGET, SHORTENED, policy_file
from deploy.demo.traffic import Traffic, addresses
from deploy.local.ports import free_port
from deploy.topics import TopicAdmin
from producer.gateway.views import parsed_body
from tests.brokers.admin import TopicFactory

pytestmark = [pytest.mark.fault, pytest.mark.broker, pytest.mark.timeout(1800)]

PLANTED = "金丝雀机密弄"
"""Part of every address that is asked for; may be found in answers alone."""
TEXTS = 300
CALLERS = 4


@dataclass
class Collector:
    """Takes traces as a collector does, and keeps the bytes."""

    bodies: list[bytes] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Asked:
    """What came back over HTTP.

    Attributes:
        statuses: how often each came.
        models: how often each model answered.
        refusals: codes of what is no answer.
        wrong: answers that are not those of the model they name.
        leaks: headers with a part of an address.
    """

    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    models: collections.Counter[str] = field(default_factory=collections.Counter)
    refusals: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)


def texts() -> list[str]:
    made = itertools.islice(addresses(seed=77, repeats=lambda: 0.0), TEXTS)
    return [f"{text}{PLANTED}{number}号" for number, text in enumerate(made)]


def said_by(version: str, asked: list[str]) -> dict[str, bytes]:
    """What a model says of each address, as the gateway writes it, without the confidences."""
    from consumer.address_parser import AddressParser

    parser = AddressParser.load(version)
    return {text: sure(parsed_body(parser.parse(text))) for text in asked}


def sure(body: bytes) -> bytes:
    """A body without its confidences, of which the last digit depends on the company."""
    content = orjson.loads(body)
    del content["confidence"]
    for one in content["components"]:
        del one["confidence"]
    return orjson.dumps(content)


@asynccontextmanager
async def people_asking(port: int, said: dict[str, dict[str, bytes]]) -> AsyncIterator[Asked]:
    """Callers who ask without end, one request after the other; what they got at the end."""
    asked = Asked()
    stop = asyncio.Event()
    queue = itertools.cycle(texts())

    async def caller(client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            text = next(queue)
            found = await client.post("/parse", json={"address": text})
            asked.statuses[found.status_code] += 1
            model = found.headers.get("x-mgeo-model", "").partition("@")[0]
            asked.models[model] += 1
            if found.status_code != 200:
                asked.refusals[found.json()["code"]] += 1
            if found.status_code == 200 and sure(found.content) != said[model][text]:
                asked.wrong.append(model)
            asked.leaks += [name for name, value in found.headers.items() if leaks(value.encode())]

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=70) as client:
        callers = [asyncio.create_task(caller(client)) for _ in range(CALLERS)]
        try:
            yield asked
        finally:
            stop.set()
            await asyncio.gather(*callers)


def leaks(content: bytes) -> bool:
    """Whether a part of an address is in it, in any of the ways in which text is written down."""
    return any(
        written in content
        for written in (
            PLANTED.encode(),
            PLANTED.encode("unicode_escape"),
            repr(PLANTED.encode())[2:-1].encode(),
        )
    )


async def test_nobody_notices_a_promotion_and_a_rollback_and_no_address_leaves_its_record(
    kafka: KafkaSettings, topics: TopicFactory, tmp_path: Path, collector: Collector
) -> None:
    prefix = topics.create_standard(partitions=4).prefix
    stream = kafka.model_copy(update={"topic_prefix": prefix})
    said = {version: said_by(version, texts()) for version in (FIRST, SECOND)}
    assert said[FIRST] != said[SECOND], "the two say different things, else nothing is shown"
    environment = {
        **environment_of(kafka.kafka_bootstrap_servers, tmp_path / "store", FIRST),
        "MGEO_TOPIC_PREFIX": prefix,
        "MGEO_LOG_LEVEL": "debug",
        "MGEO_LOG_FORMAT": "json",
        "MGEO_GATEWAY_TIMEOUT_MS": "60000",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }
    people = People(environment, print, {})
    ports = {name: free_port() for name in ("stable", "shadow", "controller", "gateway")}
    with Services(environment, tmp_path) as services:
        async with TopicAdmin(stream) as admin:
            await admin.create(partitions=4, replication=1)
        services.start(
            "controller", "rollout", "controller", "--port", str(ports["controller"]),
            MGEO_HOLD_TIMES="600",
        )  # fmt: skip
        services.start("stable", "worker", "--port", str(ports["stable"]))
        services.start(
            "shadow", "worker", "--role", "shadow", "--port", str(ports["shadow"]),
            MGEO_TOKEN_BUDGET=str(SHADOW_TOKEN_BUDGET),
        )  # fmt: skip
        services.start("gateway", "gateway", "--port", str(ports["gateway"]))
        for name in ("stable", "gateway"):
            await until_ready(services, ports[name], what=name)
        policy = ["--policy", str(policy_file()), "--set", "approval.required=false"]
        for change in SHORTENED:
            policy += ["--set", change]

        async with (
            Traffic(stream, records_per_s=30, addresses_per_record=3),
            people_asking(ports["gateway"], said) as asked,
        ):
            start = ("rollout", "start", "--candidate", SECOND, *policy, "--wait")
            await people.mgeo("model team", *start)
            await asyncio.sleep(3)
            promoted = dict(asked.models)
            await people.mgeo("operator", "rollout", "rollback", "--reason", "a drill")
            await people.mgeo(
                "operator", "rollout", "wait", "--until", "ROLLED_BACK", expect=(0, 1)
            )
            await asyncio.sleep(3)
            async with httpx.AsyncClient(timeout=20) as client:
                metrics = {
                    name: (await client.get(f"http://127.0.0.1:{port}/metrics")).content
                    for name, port in ports.items()
                }
        services.stop()

    print(asked.statuses, promoted, asked.models)
    assert asked.statuses.keys() == {200}, asked.refusals
    assert promoted.keys() == {FIRST, SECOND}, "both served over HTTP"
    assert asked.models[FIRST] > promoted[FIRST], "and the first again after the rollback"
    assert asked.wrong == []
    assert asked.leaks == []
    for name, content in metrics.items():
        assert b"mgeo_" in content
        assert not leaks(content), f"an address in the metrics of the {name}"
    for name in ("controller", "stable", "shadow", "gateway"):
        log = (tmp_path / f"{name}.log").read_bytes()
        assert log, f"the {name} does log"
        assert not leaks(log), f"an address in the log of the {name}"
    assert any(b"POST /parse" in body for body in collector.bodies), "there were traces"
    assert not any(map(leaks, collector.bodies)), "an address in a trace"


def test_an_address_would_be_found_however_it_is_written() -> None:
    for written in (f'"{PLANTED}7号"', ascii(f"浙江{PLANTED}"), repr(f"浙江{PLANTED}".encode())):
        assert leaks(f"something {written} something".encode())
    assert not leaks("金丝雀".encode())
