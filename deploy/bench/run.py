"""One run of the bench: a broker of its own, the sections in order, one document."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from contracts.settings import KafkaSettings
from deploy.bench import sections as measure
from deploy.bench.machine import commit, describe_machine, load_average
from deploy.bench.models import BASE_RANDOM, BenchModel, find_model
from deploy.bench.plan import Plan, Section
from deploy.bench.report import targets
from deploy.bench.sections import Bench, Say
from deploy.local import LocalBroker, LocalSettings

FORMAT: Final = 1


def run_bench(
    *,
    models: Sequence[str],
    sections: Sequence[Section],
    plan: Plan,
    seed: int,
    plant_sleep_ms: float,
    say: Say,
) -> dict[str, Any]:
    """Measure; the document that ``--json`` writes.

    Args:
        models: names as in ``find_model``; the first is the one of latency and memory.
        sections: which measurements.
        plan: their sizes.
        seed: of addresses and random weights.
        plant_sleep_ms: wasted before every exactly-once commit: a control that must show.
        say: told what is going on, a line at a time.

    Raises:
        UsageError: a model is unknown, or the broker could not be started.
        FatalError: ``bench_worker_failed``, ``bench_timeout``, ``bench_miscounted``,
            ``bench_ceiling_failed``, ``bench_modelscope_failed``.
    """
    with tempfile.TemporaryDirectory(prefix="mgeo-bench-") as folder:
        scratch = Path(folder)
        began, quiet = datetime.now(UTC), load_average()
        found = [find_model(name, scratch=scratch, seed=seed) for name in models]
        beside = None
        if "modelscope" in sections:
            beside = find_model(BASE_RANDOM, scratch=scratch, seed=seed)
        with LocalBroker(LocalSettings(), work_dir=scratch / "kafka") as broker:
            kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
            bench = Bench(kafka, plan, seed, scratch, plant_sleep_ms, say)
            measured = asyncio.run(_measure(bench, found, beside, sections))
    return {
        "format": FORMAT,
        "began_at": began.isoformat(timespec="seconds"),
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": describe_machine(),
        "load_average_at_start": quiet,
        "seed": seed,
        "plant_sleep_ms": plant_sleep_ms,
        "settings": {k: v for k, v in sorted(os.environ.items()) if _is_ours(k)},
        "sections": measured,
        "targets": [
            {"name": t.name, "value": t.value, "bound": t.bound, "met": t.met}
            for t in targets(measured)
        ],
    }


async def _measure(
    bench: Bench,
    models: Sequence[BenchModel],
    beside: BenchModel | None,
    sections: Sequence[Section],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "throughput" in sections:
        found["throughput"] = {one.name: await measure.throughput(bench, one) for one in models}
    if "broker" in sections:
        found["broker"] = await measure.broker(bench)
    if "latency" in sections:
        found["latency"] = {models[0].name: await measure.latency(bench, models[0])}
    if "engine-memory" in sections:
        found["engine-memory"] = await measure.memory(bench, None)
    if "memory" in sections:
        found["memory"] = await measure.memory(bench, models[0])
    if beside is not None:
        found["modelscope"] = await measure.modelscope(bench, beside)
    return found


def _is_ours(name: str) -> bool:
    return name in {
        "MGEO_DEVICE",
        "MGEO_TOKEN_BUDGET",
        "MGEO_BATCH_SIZE",
        "MGEO_SEQUENCE_LENGTH",
        "MGEO_PRECISION",
        "MGEO_CPU_THREADS",
        "MGEO_COMMIT_INTERVAL_MS",
        "OMP_NUM_THREADS",
    }
