"""The gateway under load: `python -m benchmarks.http --out FILE`.

A broker, one worker and one gateway, each a process of its own, and the load beside them on the
same machine; the model is the starter one, or ``--model base-random``: random weights in the
size of MGeo. It measures
- `ab -n 1000 -c 10` with the worker's cache of repeats off and on,
- the model's own time for one address, in this process, before anything else runs,
- the sustainable rate (closed loop, distinct addresses, cache off),
- distinct addresses at half that rate, open loop: the latency's quantiles,
- three times that rate over 200 connections: what is answered, what is shed, memory,
- how often the body of one text differs between mixed device batches.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from consumer.settings import ParserSettings
from deploy.bench.addresses import distinct_addresses
from deploy.bench.models import find_model
from deploy.demo.processes import Services
from deploy.local import LocalBroker
from deploy.local.ports import free_port

BODY = {"address": "上海市浦东新区张江高科技园区"}
WINDOW_MS = 2.0


def texts(count: int, seed: int) -> list[str]:
    """Distinct addresses."""
    return list(distinct_addresses(count, seed))


def quantiles(seconds: list[float]) -> dict[str, float]:
    """In milliseconds."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * q))], 1)
        for name, q in at.items()
    }


def single_address(count: int, settings: ParserSettings) -> dict[str, float]:
    """The model alone, one address at a time, in this process, on as many threads as the worker."""
    from consumer.address_parser import AddressParser

    parser = AddressParser.load(settings=settings)
    sample = texts(count + 20, seed=11)
    times = []
    for text in sample:
        began = time.perf_counter()
        parser.parse(text)
        times.append(time.perf_counter() - began)
    return quantiles(times[20:])


@contextmanager
def system(
    folder: Path, kafka: str, *, cache: bool, name: str, worker: Mapping[str, str]
) -> Iterator[tuple[Services, int]]:
    """A worker and a gateway; the gateway's port."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MGEO_")}
    environment = {
        **kept,
        "MGEO_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "MGEO_MODEL_STORE": str(folder / "store"),
        "MGEO_TOPIC_PREFIX": f"{name}.",
        "MGEO_LOG_FORMAT": "json",
        **worker,
        **({} if cache else {"MGEO_CACHE_CHARS": "0"}),
    }
    with Services(environment, folder) as services:
        made = services.start("topics", "topics", "create", "--partitions", "2")
        made._process.wait(120)
        port = free_port()
        services.start(f"{name} worker", "worker", "--port", "0")
        services.start(f"{name} gateway", "gateway", "--port", str(port))
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2)
                if answer.status_code == 200 and answer.json()["workers"]:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        else:
            raise SystemExit(f"not ready; logs in {folder}")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(30):  # new topics meet their leaders, code its caches
                client.post("/parse", json=BODY, headers={"X-MGeo-Timeout-Ms": "30000"})
        yield services, port


def ab(port: int, folder: Path) -> dict[str, Any]:
    """ApacheBench as anybody would call it."""
    program = shutil.which("ab")
    if program is None:
        return {"skipped": "ab is not installed (apache2-utils)"}
    body = folder / "test.json"
    body.write_text(json.dumps(BODY, ensure_ascii=False), encoding="utf-8")
    printed = subprocess.run(
        [
            *(program, "-n", "1000", "-c", "10", "-p", str(body), "-T", "application/json"),
            f"http://127.0.0.1:{port}/parse",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    def number(label: str) -> float | None:
        found = re.search(rf"^ *{label} +([0-9.]+)", printed, re.MULTILINE)
        return float(found[1]) if found else None

    return {
        "complete": number("Complete requests:"),
        "failed": number("Failed requests:"),
        "non_2xx": number("Non-2xx responses:"),
        "per_s": number("Requests per second:"),
        "p50_ms": number("50%"),
        "p99_ms": number("99%"),
    }


@asynccontextmanager
async def client_of(port: int, connections: int) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=70) as client:
        yield client


class Connection:
    """One kept-alive connection that asks and reads statuses, as cheaply as Python can.

    The load shares the machine with what it measures: httpx takes a millisecond of processor
    time for each request, this a tenth of one.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def parse(self, text: str) -> int:
        """The status of ``POST /parse``; 0 where the connection broke.

        One that was used before may have been closed just now for being idle: like any client of
        HTTP (RFC 9112, 9.3.1) this one then asks once more, on a new one.
        """
        body = json.dumps({"address": text}, ensure_ascii=False).encode()
        used_before = self._streams is not None
        status = await self._ask(body)
        return await self._ask(body) if status == 0 and used_before else status

    async def _ask(self, body: bytes) -> int:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(
                b"POST /parse HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0
        if b"connection: close" in head:
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        """Leave."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def closed_loop(port: int, sample: list[str], callers: int) -> dict[str, Any]:
    """So many callers, each one request after the other: the sustainable rate."""
    queue = iter(sample)
    statuses: collections.Counter[int] = collections.Counter()

    async def caller() -> None:
        connection = Connection(port)
        for text in queue:
            statuses[await connection.parse(text)] += 1
        connection.close()

    began = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(callers)))
    took = time.monotonic() - began
    return {"per_s": round(statuses[200] / took, 1), "statuses": dict(statuses)}


async def open_loop(
    port: int, sample: list[str], per_s: float, connections: int, pid: int
) -> dict[str, Any]:
    """Requests at random moments of this rate, whatever becomes of those before.

    Latencies count from the moment at which a request was due, its wait for one of the
    connections included; under overload that wait is the longest part, and ``in_hand_ms`` counts
    from the moment at which the gateway was asked.
    """
    statuses: collections.Counter[int] = collections.Counter()
    latencies: list[float] = []
    in_hand: list[float] = []
    others: list[float] = []
    memory: list[int] = []
    process = psutil.Process(pid)
    rng = random.Random(5)
    tasks: set[asyncio.Task[None]] = set()
    free: asyncio.Queue[Connection] = asyncio.LifoQueue()
    for _ in range(connections):
        free.put_nowait(Connection(port))

    async def one(text: str, due: float) -> None:
        connection = await free.get()
        asked = time.monotonic()
        status = await connection.parse(text)
        free.put_nowait(connection)
        statuses[status] += 1
        in_hand.append(time.monotonic() - asked)
        (latencies if status == 200 else others).append(time.monotonic() - due)

    began = due = time.monotonic()
    for number, text in enumerate(sample):
        due += rng.expovariate(per_s)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(one(text, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        if number % 200 == 0:
            memory.append(process.memory_info().rss)
    await asyncio.gather(*tasks)
    took = time.monotonic() - began
    while not free.empty():
        free.get_nowait().close()
    return {
        "asked_per_s": round(len(sample) / took, 1),
        "answered_per_s": round(statuses[200] / took, 1),
        "statuses": dict(statuses),
        "answered_ms": quantiles(latencies),
        "not_answered_ms": quantiles(others),
        "in_hand_ms": quantiles(in_hand),
        "gateway_rss_mib": [round(memory[0] / 2**20, 1), round(max(memory) / 2**20, 1)],
    }


async def same_bodies(port: int, rounds: int) -> dict[str, Any]:
    """One text among changing company: how many different bodies."""
    company = texts(rounds * 30, seed=21)
    watched = texts(20, seed=22)
    bodies: dict[str, collections.Counter[bytes]] = {
        text: collections.Counter() for text in watched
    }
    async with client_of(port, 64) as client:
        for turn in range(rounds):
            others = company[turn * 30 : turn * 30 + 1 + (turn * 7) % 30]
            mixed = [*others, *watched]
            random.Random(turn).shuffle(mixed)
            answers = await asyncio.gather(
                *(client.post("/parse", json={"address": text}) for text in mixed)
            )
            for text, answer in zip(mixed, answers, strict=True):
                if text in bodies and answer.status_code == 200:
                    bodies[text][answer.content] += 1
    answered = sum(sum(counts.values()) for counts in bodies.values())
    usual = sum(max(counts.values()) for counts in bodies.values())
    return {
        "texts": len(watched),
        "answers": answered,
        "unlike_the_usual_one": answered - usual,
        "texts_with_several_bodies": sum(len(counts) > 1 for counts in bodies.values()),
    }


def pid_of(port: int) -> int:
    """The process that listens there."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return int(connection.pid)
    raise SystemExit("nobody listens")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/http.json"))
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--sustained", type=int, default=3000, help="requests for that rate")
    parser.add_argument(
        "--callers",
        type=int,
        default=64,
        help="at the same time, for that rate; few enough that none waits past its deadline",
    )
    parser.add_argument("--overload-s", type=float, default=20.0)
    parser.add_argument("--device", default="cpu", help="of the worker; cpu, cuda or cuda:N")
    parser.add_argument("--model", default="starter", help="starter, small-random or base-random")
    given = parser.parse_args()
    figures: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "device": given.device,
        "model": given.model,
        "window_ms": WINDOW_MS,
    }

    def note(name: str, value: Any) -> None:
        figures[name] = value
        print(name, json.dumps(value, ensure_ascii=False), flush=True)
        given.out.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n")

    with tempfile.TemporaryDirectory() as name, LocalBroker() as broker:
        folder = Path(name)
        model = find_model(given.model, scratch=folder, seed=1)
        worker = {**model.environment, "MGEO_DEVICE": given.device, "MGEO_CPU_THREADS": "1"}
        start = partial(system, folder, broker.bootstrap_servers, worker=worker)
        alone = ParserSettings(
            device=given.device,
            cpu_threads=1,
            version=worker["MGEO_VERSION"],
            model_store=worker.get("MGEO_MODEL_STORE"),
        )
        if shutil.which("ab"):
            with start(cache=True, name="on") as (_, port):
                note("ab_cache_on", ab(port, folder))
        note("single_address_ms", single_address(500, alone))
        with start(cache=False, name="off") as (_, port):
            note("ab_cache_off", ab(port, folder))
            pid = pid_of(port)
            sustainable = asyncio.run(
                closed_loop(port, texts(given.sustained, seed=1), given.callers)
            )
            note("sustainable", sustainable)
            rate = sustainable["per_s"]
            note("bodies", asyncio.run(same_bodies(port, 30)))
            half = asyncio.run(open_loop(port, texts(given.requests, seed=2), rate / 2, 200, pid))
            note("half_rate", half)
            count = int(rate * 3 * given.overload_s)
            note(
                "three_times",
                asyncio.run(open_loop(port, texts(count, seed=3), rate * 3, 200, pid)),
            )
    single = figures["single_address_ms"]["p99"]
    note(
        "judged",
        {
            "half_rate_p99_bound_ms": round(5 * single + WINDOW_MS, 1),
            "half_rate_p99_ms": figures["half_rate"]["answered_ms"].get("p99"),
            "goodput_share": round(figures["three_times"]["answered_per_s"] / rate, 3),
        },
    )


if __name__ == "__main__":
    main()
