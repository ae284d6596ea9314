"""Several workers on one device: `python -m benchmarks.drains --device cuda --workers 1 2 4`.

For each number of workers a backlog on fresh topics of a broker of its own, which they drain;
they are ready before it is published. The rate is from the first record that reaches a worker to
the last commit, and every address is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from contracts.settings import KafkaSettings
from deploy.bench.addresses import distinct_addresses
from deploy.bench.figures import drain_rate
from deploy.bench.models import BenchModel, find_model
from deploy.bench.stream import publish, results, topics, until_committed
from deploy.bench.workers import Setup, running
from deploy.local import LocalBroker

_SETTLED_S = 5.0
"""Until a new group has shared its partitions out."""


async def drained(
    kafka: KafkaSettings, model: BenchModel, setup: Setup, workers: int, given: Any, logs: Path
) -> dict[str, Any]:
    """One backlog through so many workers."""
    async with topics(kafka, model.spec) as stream, AsyncExitStack() as stack:
        started = [
            running(setup, stream, logs / f"{workers}-{number}.log") for number in range(workers)
        ]
        team = await asyncio.gather(*(stack.enter_async_context(one) for one in started))
        await asyncio.sleep(_SETTLED_S)
        addresses = await publish(stream, distinct_addresses(given.addresses, 7))
        before = [worker.cpu_s() for worker in team]
        await until_committed(stream, team[0], timeout_s=given.timeout)
        cpu = [worker.cpu_s() - at for worker, at in zip(team, before, strict=True)]
        pages = [await asyncio.to_thread(worker.metrics) for worker in team]
        began, commits = await results(stream, addresses)
    return {
        "workers": workers,
        "addresses": addresses,
        "addresses_per_s": round(drain_rate(began, commits)),
        "device_busy_s": [round(page["mgeo_device_busy_seconds_total"], 2) for page in pages],
        "device_batches": [round(page["mgeo_device_batches_total"]) for page in pages],
        "worker_cpu_s": [round(seconds, 2) for seconds in cpu],
        "gpu_memory_bytes": max(page.get("mgeo_gpu_memory_bytes", 0.0) for page in pages),
    }


async def measure(given: Any) -> None:
    """All of it."""
    found = []
    with tempfile.TemporaryDirectory() as name, LocalBroker() as broker:
        folder = Path(name)
        model = find_model(given.model, scratch=folder, seed=1)
        setup = Setup(
            environment={
                **model.environment,
                "MGEO_DEVICE": given.device,
                "MGEO_TOKEN_BUDGET": str(given.token_budget),
                "MGEO_CPU_THREADS": "1",
            }
        )
        kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
        for workers in given.workers:
            found.append(await drained(kafka, model, setup, workers, given, folder))
            print(json.dumps(found[-1]), flush=True)
            given.out.write_text(json.dumps(found, indent=1) + "\n")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("drains.json"))
    parser.add_argument("--device", default="auto", help="cpu, cuda or cuda:N")
    parser.add_argument("--model", default="base-random", help="as for mgeo bench")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="at most 4")
    parser.add_argument("--addresses", type=int, default=60_000)
    parser.add_argument("--token-budget", type=int, default=2048)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one backlog")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
