"""How long whoever waits has to wait, beside a backlog and without, and what bulk pays for it.

``python -m benchmarks.interactive --out FILE`` runs a real worker with the starter model against a
real broker. Requests of one address are due by the clock (an open loop: a stall shows in every
request that it delays) and their latency is from then to the moment the reply is read. Cases are
named sets of settings; ``on_events`` sends the requests on the bulk topic, which is how it would
be without a second input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.headers import REPLY_TO, header
from contracts.replies import ReplyTo
from contracts.settings import KafkaSettings, client_options
from deploy.bench.addresses import distinct_addresses
from deploy.bench.figures import percentile
from deploy.bench.models import BenchModel, find_model
from deploy.bench.stream import ADDRESSES_PER_RECORD, PARTITIONS, batch_of, publish, topics
from deploy.bench.workers import Setup, WorkerProcess, running
from deploy.ledger import committed_offsets
from deploy.local import LocalBroker, LocalSettings

SETTLE_S: Final = 3.0
PATIENCE_S: Final = 20.0
"""How long after the last request replies are waited for; what is missing then counts as this late
and is counted apart."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run.

    Attributes:
        backlog: bulk addresses that lie there before, more than can be parsed meanwhile.
        per_s: requests a second; 0 for bulk alone.
        on_events: requests go the way of bulk.
        settings: of the worker.
    """

    backlog: int
    per_s: float
    on_events: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a case showed.

    Attributes:
        requests: those after the first seconds.
        unanswered: those of them without a reply by the end.
        p50_ms, p99_ms, worst_ms: of their latency.
        bulk_per_s: bulk addresses committed in a second, over the same time.
        worker_cpu: processor seconds of the worker in a second.
    """

    requests: int
    unanswered: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    bulk_per_s: float
    worker_cpu: float


def cases(backlog: int, per_s: float) -> dict[str, Case]:
    """By name, in the order in which they run."""
    whole = {"MGEO_INTERACTIVE_TOKEN_BUDGET": "2048"}
    return {
        "bulk alone": Case(backlog, 0.0),
        "idle": Case(0, per_s),
        "backlog, on events": Case(backlog, per_s, on_events=True),
        "backlog, batches of 2048": Case(backlog, per_s, settings=whole),
        "backlog": Case(backlog, per_s),
        "backlog, batches of 256": Case(
            backlog, per_s, settings={"MGEO_INTERACTIVE_TOKEN_BUDGET": "256"}
        ),
        "flood": Case(backlog, per_s * 20),
    }


async def measure(
    kafka: KafkaSettings, model: BenchModel, case: Case, *, seconds: float, seed: int, log: Path
) -> Figures:
    """Run one case on topics of its own."""
    count = int(case.per_s * seconds)
    texts = list(distinct_addresses(case.backlog + count, seed))
    setup = Setup({**model.environment, **case.settings})
    async with topics(kafka, model.spec) as stream:
        await publish(stream, texts[count:])
        async with running(setup, stream, log) as worker:
            if case.backlog:
                await _working(worker)
            return await _ask(stream, worker, case, texts[:count], seconds)


async def _working(worker: WorkerProcess) -> None:
    while not (await asyncio.to_thread(worker.metrics)).get("mgeo_addresses_total"):
        worker.check()
        await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLE_S)


async def _ask(
    stream: KafkaSettings, worker: WorkerProcess, case: Case, texts: list[str], seconds: float
) -> Figures:
    names = stream.names
    topic = names.events if case.on_events else names.interactive
    answered: dict[str, float] = {}
    due: dict[str, float] = {}
    replies = AIOKafkaConsumer(**client_options(stream), auto_offset_reset="latest")
    async with replies, AIOKafkaProducer(**client_options(stream)) as producer:
        replies.assign([TopicPartition(names.replies, 0)])
        await replies.seek_to_end()
        reading = asyncio.create_task(_read(replies, answered, len(texts)))
        before, cpu = await _bulk_records(stream), worker.cpu_s()
        began = time.monotonic()
        for number, text in enumerate(texts):
            name = f"{number}"
            due[name] = began + number / case.per_s
            await asyncio.sleep(max(0.0, due[name] - time.monotonic()))
            await producer.send(
                topic,
                batch_of([text], number),
                partition=number % PARTITIONS,
                headers=ReplyTo(0, "bench", name).headers(),
            )
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        took = time.monotonic() - began
        after, cpu = await _bulk_records(stream), worker.cpu_s() - cpu
        await asyncio.wait({reading}, timeout=PATIENCE_S)
        reading.cancel()
        ended = time.monotonic()
    counted = {name: at for name, at in due.items() if at - began >= SETTLE_S}
    waited = [answered.get(name, ended) - at for name, at in counted.items()] or [float("nan")]
    # In bulk's own topic requests are records of their own, behind the backlog and out of reach.
    parsed = (after - before) * ADDRESSES_PER_RECORD
    return Figures(
        requests=len(counted),
        unanswered=len(counted.keys() - answered.keys()),
        p50_ms=round(percentile(waited, 0.5) * 1e3, 1),
        p99_ms=round(percentile(waited, 0.99) * 1e3, 1),
        worst_ms=round(max(waited) * 1e3, 1),
        bulk_per_s=round(parsed / took, 1),
        worker_cpu=round(cpu / took, 2),
    )


async def _bulk_records(stream: KafkaSettings) -> int:
    """How many records of bulk are committed."""
    names = stream.names
    return sum((await committed_offsets(stream, names.stable_group, names.events)).values())


async def _read(replies: AIOKafkaConsumer, answered: dict[str, float], wanted: int) -> None:
    while len(answered) < wanted:
        for records in (await replies.getmany(timeout_ms=1000)).values():
            now = time.monotonic()
            for record in records:
                asked = header(record.headers, REPLY_TO) or b""
                answered.setdefault(asked.decode().rsplit("/", 1)[-1], now)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each case")
    parser.add_argument("--per-s", type=float, default=20.0, help="requests of one address")
    parser.add_argument("--backlog", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="a case by its name; may be repeated")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalBroker(LocalSettings(), work_dir=Path(folder) / "kafka") as broker,
    ):
        kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
        model = find_model("starter", scratch=Path(folder), seed=0)
        for name, case in cases(arguments.backlog, arguments.per_s).items():
            if arguments.only and name not in arguments.only:
                continue
            figures = asyncio.run(
                measure(
                    kafka,
                    model,
                    case,
                    seconds=arguments.seconds,
                    seed=arguments.seed,
                    log=Path(folder) / "worker.log",
                )
            )
            found[name] = asdict(figures)
            print(f"{name}: {json.dumps(found[name])}", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
