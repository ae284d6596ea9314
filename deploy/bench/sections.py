"""The measurements, one function each: what is run, in which order, and what is kept of it.

Whatever is compared runs by turns, so that a machine that grows slower slows both.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from contracts.settings import KafkaSettings
from deploy.bench.addresses import distinct_addresses
from deploy.bench.figures import figure, percentile, slope_per_minute
from deploy.bench.instant import INSTANT_SPEC
from deploy.bench.latency import latencies
from deploy.bench.machine import load_average
from deploy.bench.models import BenchModel
from deploy.bench.plain_loop import best_wait_policy, run_ceiling, run_child
from deploy.bench.plan import Plan
from deploy.bench.stream import ADDRESSES_PER_RECORD, Drain, drain, topics
from deploy.bench.workers import Setup

Raw = dict[str, Any]
Say = Callable[[str], None]

_TIMEOUT_S: Final = 1800.0
_PROBE: Final = 120
_POLICY_S: Final = 1.5
_LEAST_SAMPLE: Final = 240


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs.

    Attributes:
        kafka: the bench's own broker.
        plan: sizes.
        seed: of the addresses.
        scratch: a folder for logs and jobs.
        plant_sleep_ms: the negative control.
        say: told what is going on.
    """

    kafka: KafkaSettings
    plan: Plan
    seed: int
    scratch: Path
    plant_sleep_ms: float
    say: Say

    def texts(self, count: int, turn: int = 0) -> list[str]:
        """Distinct addresses; another turn has others."""
        return list(distinct_addresses(count, self.address_seed(turn)))

    def address_seed(self, turn: int) -> int:
        """The seed of a turn's addresses, for the record."""
        return self.seed * 1000 + turn

    async def drain(self, model: BenchModel | None, texts: list[str], guarantee: str) -> Drain:
        """One backlog through one worker; no model means the one that answers at once."""
        setup = Setup(
            environment={
                **(model.environment if model else {"MGEO_VERSION": INSTANT_SPEC.version}),
                "MGEO_GUARANTEE": guarantee,
            },
            instant=model is None,
            plant_sleep_ms=self.plant_sleep_ms if guarantee == "exactly_once" else 0.0,
        )
        async with topics(self.kafka, model.spec if model else INSTANT_SPEC) as stream:
            return await drain(
                stream, setup, texts, log=self.scratch / "worker.log", timeout_s=_TIMEOUT_S
            )


async def throughput(bench: Bench, model: BenchModel) -> Raw:
    """Ceiling, exactly once, at least once; by turns on the same addresses."""
    speed = _rough_speed(bench, model)
    longer = bench.texts(max(_PROBE, int(speed * _POLICY_S)))
    policy = best_wait_policy(model.directory, longer, scratch=bench.scratch)
    # The loop is run once per budget, so it gets a smaller share of the addresses.
    stream_size = _whole_records(max(_LEAST_SAMPLE, int(speed * bench.plan.seconds)))
    loop_size = max(_LEAST_SAMPLE, stream_size // 3)
    turns: list[Raw] = []
    for turn in range(bench.plan.repetitions):
        texts = bench.texts(stream_size, turn)
        passes = run_ceiling(
            model.directory, texts[:loop_size], scratch=bench.scratch, wait_policy=policy
        )
        best = max(one.addresses_per_s for one in passes)
        exact = await bench.drain(model, texts, "exactly_once")
        least = await bench.drain(model, texts, "at_least_once")
        bench.say(
            f"{model.name} {turn + 1}/{bench.plan.repetitions}: ceiling {best:.0f}, "
            f"exactly once {exact.rate:.0f}, at least once {least.rate:.0f} addresses/s"
        )
        turns.append(
            {
                "address_seed": bench.address_seed(turn),
                "ceiling": [
                    {"token_budget": one.token_budget, "seconds": one.seconds} for one in passes
                ],
                "ceiling_addresses": loop_size,
                "exactly_once": exact.raw(),
                "at_least_once": least.raw(),
                "load_average": load_average(),
            }
        )
    return {
        "model": model.spec.model_dump(),
        "parameters": model.parameters,
        "addresses": stream_size,
        "addresses_per_record": ADDRESSES_PER_RECORD,
        "ceiling_wait_policy": policy,
        "repetitions": turns,
        "summary": summarise_throughput(turns),
    }


def summarise_throughput(turns: list[Raw]) -> Raw:
    """Medians and spreads of rates, and of the ratios within each turn. Pure."""
    by_budget = {
        budget: [
            turn["ceiling_addresses"] / one["seconds"]
            for turn in turns
            for one in turn["ceiling"]
            if one["token_budget"] == budget
        ]
        for budget in (one["token_budget"] for one in turns[0]["ceiling"])
    }
    # The best budget is chosen over all turns: the best of each turn would pick its luck.
    best = max(by_budget, key=lambda budget: median(by_budget[budget]))
    ceilings = by_budget[best]
    exact = [turn["exactly_once"]["addresses_per_s"] for turn in turns]
    least = [turn["at_least_once"]["addresses_per_s"] for turn in turns]
    pairs = list(zip(ceilings, exact, least, strict=True))
    return {
        "ceiling_token_budget": best,
        "ceiling": _plain(ceilings),
        "exactly_once": _plain(exact),
        "at_least_once": _plain(least),
        "ratio_to_ceiling": _plain([one / ceiling for ceiling, one, _ in pairs]),
        "price_of_exactly_once": _plain([1.0 - one / other for _, one, other in pairs]),
        "padding_waste": _plain([turn["exactly_once"]["padding_waste"] for turn in turns]),
        "batch_fill": _plain([turn["exactly_once"]["batch_fill"] for turn in turns]),
    }


async def broker(bench: Bench) -> Raw:
    """Both guarantees with a model that answers at once: engine and broker alone."""
    turns: list[Raw] = []
    for turn in range(bench.plan.repetitions):
        texts = bench.texts(bench.plan.instant_addresses, turn)
        exact = await bench.drain(None, texts, "exactly_once")
        least = await bench.drain(None, texts, "at_least_once")
        bench.say(
            f"instant {turn + 1}/{bench.plan.repetitions}: exactly once {exact.rate:.0f}, "
            f"at least once {least.rate:.0f} addresses/s"
        )
        turns.append({"exactly_once": exact.raw(), "at_least_once": least.raw()})
    exacts = [turn["exactly_once"]["addresses_per_s"] for turn in turns]
    leasts = [turn["at_least_once"]["addresses_per_s"] for turn in turns]
    return {
        "addresses": bench.plan.instant_addresses,
        "repetitions": turns,
        "summary": {
            "exactly_once": _plain(exacts),
            "at_least_once": _plain(leasts),
            "price_of_exactly_once": _plain(
                [1.0 - one / other for one, other in zip(exacts, leasts, strict=True)]
            ),
        },
    }


async def latency(bench: Bench, model: BenchModel) -> Raw:
    """End to end at half of what this model drains now."""
    size = max(_LEAST_SAMPLE, int(_rough_speed(bench, model) * bench.plan.seconds))
    probe = await bench.drain(model, bench.texts(_whole_records(size), 900), "exactly_once")
    load = probe.rate / 2
    texts = bench.texts(_whole_records(int(load * bench.plan.latency_s)), 901)
    setup = Setup(environment=model.environment, plant_sleep_ms=bench.plant_sleep_ms)
    async with topics(bench.kafka, model.spec) as stream:
        found = await latencies(
            stream, setup, texts, addresses_per_s=load, log=bench.scratch / "worker.log"
        )
    bench.say(
        f"{model.name}: P50 {percentile(found, 0.5) * 1e3:.0f} ms, "
        f"P99 {percentile(found, 0.99) * 1e3:.0f} ms at {load:.0f} addresses/s"
    )
    return {
        "model": model.spec.model_dump(),
        "addresses_per_s": load,
        "addresses_per_record": ADDRESSES_PER_RECORD,
        "records": len(found),
        "seconds": [round(one, 5) for one in found],
        "summary": {
            "p50_s": percentile(found, 0.5),
            "p99_s": percentile(found, 0.99),
            "max_s": max(found),
        },
    }


async def memory(bench: Bench, model: BenchModel | None) -> Raw:
    """Resident memory of the worker while a small and a large backlog drain."""
    found: Raw = {"model": None if model is None else model.spec.model_dump()}
    for name, size in (
        ("small", bench.plan.small_backlog),
        ("large", bench.plan.large_backlog),
    ):
        drained = await bench.drain(model, bench.texts(size, 950), "exactly_once")
        trace = drained.memory
        began = trace.at_s[0]
        # Growth is looked for in the second half: before it, pools and caches fill up.
        half = len(trace.at_s) // 2
        found[name] = {
            "addresses": drained.addresses,
            "addresses_per_s": drained.rate,
            "peak_bytes": max(trace.bytes),
            "last_half_bytes_per_minute": slope_per_minute(trace.at_s[half:], trace.bytes[half:]),
            "samples_s_bytes": [
                [round(at - began, 2), size]
                for at, size in islice(
                    zip(trace.at_s, trace.bytes, strict=True), 0, None, max(1, half // 200)
                )
            ],
        }
        bench.say(f"memory: {drained.addresses} addresses, peak {max(trace.bytes) / 2**20:.0f} MiB")
    found["summary"] = {
        "large_over_small": found["large"]["peak_bytes"] / found["small"]["peak_bytes"]
    }
    return found


async def modelscope(bench: Bench, model: BenchModel) -> Raw:
    """Their pipeline, as it comes and tuned, and ours, on the same random weights."""
    plan = bench.plan
    texts = bench.texts(max(plan.tuned_addresses, plan.default_addresses), 970)
    job = bench.scratch / "side_by_side.json"
    job.write_text(
        json.dumps(
            {
                "checkpoint": str(model.checkpoint),
                "repetitions": plan.repetitions,
                "addresses": {
                    "default": texts[: plan.default_addresses],
                    "tuned": texts[: plan.tuned_addresses],
                    "ours": texts[: plan.tuned_addresses],
                },
            },
            ensure_ascii=False,
        ),
        encoding="utf-8",
    )
    timings: Any = run_child("deploy.bench.side_by_side", job, code="bench_modelscope_failed")
    rates = {
        way: [one["addresses"] / one["seconds"] for one in timings if one["way"] == way]
        for way in ("default", "tuned", "ours")
    }
    summary: Raw = {way: _plain(values) for way, values in rates.items()}
    for way in ("default", "tuned"):
        summary[f"ours_over_{way}"] = _plain(
            [our / their for our, their in zip(rates["ours"], rates[way], strict=True)]
        )
    bench.say(
        f"modelscope: {summary['default']['median']:.1f} as it comes, "
        f"{summary['tuned']['median']:.1f} tuned; ours {summary['ours']['median']:.1f} addresses/s"
    )
    return {"timings": timings, "summary": summary}


def _rough_speed(bench: Bench, model: BenchModel) -> float:
    """Addresses per second of the plain loop, to choose sizes by."""
    probe = run_ceiling(model.directory, bench.texts(_PROBE), scratch=bench.scratch)
    return max(one.addresses_per_s for one in probe)


def _whole_records(addresses: int) -> int:
    return max(1, addresses // ADDRESSES_PER_RECORD) * ADDRESSES_PER_RECORD


def _plain(values: list[float]) -> Raw:
    one = figure(values)
    return {"median": one.median, "low": one.low, "high": one.high}
