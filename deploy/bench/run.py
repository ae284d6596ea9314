"""One run of the bench: a broker of its own, the sections in order, one document."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from contracts.errors import UsageError
from deploy.bench import sections as measure
from deploy.bench.machine import commit, describe_machine, load_average
from deploy.bench.models import BASE_RANDOM, BenchModel, find_model
from deploy.bench.plan import Plan, Section
from deploy.bench.report import targets
from deploy.bench.sections import Bench, Say
from deploy.local import LocalBroker, LocalSettings

FORMAT: Final = 1
_NOTED: Final = frozenset(
    {
        *("MGEO_DEVICE", "MGEO_TOKEN_BUDGET", "MGEO_BATCH_SIZE", "MGEO_SEQUENCE_LENGTH"),
        *("MGEO_PRECISION", "MGEO_CPU_THREADS", "MGEO_COMMIT_INTERVAL_MS"),
        *("OMP_NUM_THREADS", "OMP_WAIT_POLICY"),
    }
)
"""Variables of the environment that change the figures."""

Keep = Callable[[dict[str, Any]], None]


def run_bench(
    *,
    models: Sequence[str],
    sections: Sequence[Section],
    plan: Plan,
    seed: int,
    plant_sleep_ms: float,
    say: Say,
    keep: Keep = lambda _: None,
) -> dict[str, Any]:
    """Measure; the document that ``--json`` writes.

    Args:
        models: names as in ``find_model``; the first is the one of latency and memory.
        sections: which measurements.
        plan: their sizes.
        seed: of addresses and random weights.
        plant_sleep_ms: wasted before every exactly-once commit: a control that must show.
        say: told what is going on, a line at a time.
        keep: given the document so far after each section: a run takes long.

    Raises:
        UsageError: a model is unknown, or the broker could not be started.
        FatalError: ``bench_worker_failed``, ``bench_timeout``, ``bench_miscounted``,
            ``bench_ceiling_failed``, ``bench_modelscope_failed``.
    """
    with tempfile.TemporaryDirectory(prefix="mgeo-bench-") as folder:
        scratch = Path(folder)
        facts = {
            "format": FORMAT,
            "began_at": _now(),
            "commit": commit(),
            "machine": describe_machine(),
            "load_average_at_start": load_average(),
            "seed": seed,
            "plant_sleep_ms": plant_sleep_ms,
            "settings": {k: v for k, v in sorted(os.environ.items()) if k in _NOTED},
        }
        found = [find_model(name, scratch=scratch, seed=seed) for name in models]
        beside = None
        if "modelscope" in sections:
            beside = find_model(BASE_RANDOM, scratch=scratch, seed=seed)

        def document(measured: dict[str, Any]) -> dict[str, Any]:
            judged = [asdict(target) | {"met": target.met} for target in targets(measured)]
            return facts | {"ended_at": _now(), "sections": measured, "targets": judged}

        with LocalBroker(LocalSettings(), work_dir=scratch / "kafka") as broker:
            kafka = broker.client()
            bench = Bench(kafka, plan, seed, scratch, plant_sleep_ms, say)

            def so_far(measured: dict[str, Any]) -> None:
                keep(document(measured))

            return document(asyncio.run(_measure(bench, found, beside, sections, so_far)))


def read_document(path: Path) -> dict[str, Any]:
    """A document that an earlier run has kept.

    Raises:
        UsageError: ``bad_baseline``.
    """
    try:
        document = json.loads(path.read_bytes())
        if document["format"] == FORMAT and document["machine"] and document["sections"]:
            return dict(document)
        problem = "it has no figures"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except (ValueError, TypeError, KeyError):
        problem = "it is no document of mgeo bench"
    raise UsageError(
        f"{path} cannot be compared with: {problem}",
        code="bad_baseline",
        hint=f"measure one: mgeo bench --json {path}",
    )


async def _measure(
    bench: Bench,
    models: Sequence[BenchModel],
    beside: BenchModel | None,
    sections: Sequence[Section],
    keep: Keep,
) -> dict[str, Any]:
    first = models[0]
    found: dict[str, Any] = {}
    for section in sections:
        match section:
            case "throughput":
                found[section] = {}
                for model in models:
                    found[section][model.name] = await measure.throughput(bench, model)
                    keep(found)
            case "broker":
                found[section] = await measure.broker(bench)
            case "latency":
                found[section] = {first.name: await measure.latency(bench, first)}
            case "engine-memory":
                found[section] = await measure.memory(bench, None)
            case "memory":
                found[section] = await measure.memory(bench, first)
            case "modelscope" if beside is not None:
                found[section] = await measure.modelscope(bench, beside)
        keep(found)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
