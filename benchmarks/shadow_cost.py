"""What does a shadow on a core of its own cost the stable stream beside it?

``python -m benchmarks.shadow_cost`` keeps a real stable worker at half of its measured capacity
and lets a real shadow worker come and go on another core. A third condition tells the machine's
share from ours: a program that only computes on that core and never speaks to Kafka. With four
cores each of stable worker, shadow, broker and load has its own; with two they share. A worker
has one thread of torch, and others for Kafka and for text: ``--cores-each 2`` gives it room.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil
from aiokafka import AIOKafkaProducer

from benchmarks.open_load import OpenLoad
from contracts.canonical import digest_of
from contracts.control import RolloutState, ServingSet, encode_state
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Rollout
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from contracts.topics import CONTROL_KEY
from deploy.bench.addresses import distinct_addresses
from deploy.bench.figures import drain_rate, percentile
from deploy.bench.machine import commit, describe_machine, load_average
from deploy.bench.stream import results
from deploy.demo.processes import Services, environment_of, until_ready
from deploy.ledger import committed_offsets
from deploy.local import LocalBroker, LocalSettings
from deploy.local.ports import free_port
from producer.topic_log import TopicLog

CONDITIONS: Final = ("alone", "shadow", "computing")
REFERENCE: Final = "mgeo-starter-v2-20261015"
CANDIDATE: Final = "mgeo-starter-v1-20260915"
PARTITIONS: Final = 4
CALM_S: Final = 0.1
"""Processor time within two seconds of a worker that has nothing to do."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who computes where.

    Attributes:
        stable: the stable worker.
        shadow: the shadow worker, or what computes in its place.
        broker: the broker.
        load: what sends the addresses and reads the results.
    """

    stable: tuple[int, ...]
    shadow: tuple[int, ...]
    broker: tuple[int, ...]
    load: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """One load under one condition.

    Attributes:
        turn: which turn; the conditions of one turn are compared with one another.
        condition: one of ``CONDITIONS``.
        completed_per_s: addresses of which the results could be read, a second.
        p50_s: from due to readable.
        p99_s: the same.
        max_s: the same.
        cpu: share of a core by process.
        shadowed: input records that the shadow has passed, both models run on each.
        behind: those that it had not passed when the last result was there.
        load_average: at the end.
        milliseconds: of every record, in the order in which they were due.
    """

    turn: int
    condition: str
    completed_per_s: float
    p50_s: float
    p99_s: float
    max_s: float
    cpu: Mapping[str, float]
    shadowed: int
    behind: int
    load_average: float
    milliseconds: tuple[float, ...] = field(repr=False)


def main() -> None:
    """Measure, print a table, keep every record's latency as JSON."""
    arguments = _arguments()
    if arguments.compute:
        _compute()
        return
    cores = chosen_cores(physical_cores(os.sched_getaffinity(0)), arguments.cores_each)
    with tempfile.TemporaryDirectory(prefix="mgeo-shadow-cost-") as scratch:
        document = _run(Path(scratch), cores, arguments)
    print(table(document))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=28.0, help="of load, under each condition")
    parser.add_argument(
        "--per-record", type=int, default=20, help="addresses in a record; capacity depends on it"
    )
    parser.add_argument("--capacity-addresses", type=int, default=6_000)
    parser.add_argument("--cores-each", type=int, default=1, help="where there are four times it")
    parser.add_argument(
        "--leave-out", choices=CONDITIONS[1:], action="append", default=[], help="may be repeated"
    )
    parser.add_argument("--json", type=Path, help="keep the raw figures here")
    parser.add_argument("--compute", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen_cores(available: Sequence[int], each: int = 1) -> Cores:
    """Who computes where: so many cores each, or one each for as long as there are any. Pure.

    With two cores the broker and the load are on the stable worker's.
    """
    if len(available) >= 4 * each:
        return Cores(*(tuple(available[part * each :][:each]) for part in range(4)))
    stable, shadow, *more = ((core,) for core in available)
    return Cores(stable, shadow, *(*more, stable, stable)[:2])


def physical_cores(available: Collection[int]) -> list[int]:
    """One processor of each physical core, and, where these are too few, the others after them.

    Two hardware threads of one core slow one another by far more than what is measured here.
    """
    first, others, seen = [], [], set[str]()
    for number in sorted(available):
        shared = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        core = shared.read_text(encoding="ascii") if shared.exists() else str(number)
        (others if core in seen else first).append(number)
        seen.add(core)
    return first + others


def compared(stretches: Sequence[Stretch], condition: str) -> dict[str, dict[str, float]]:
    """A condition over ``alone``, turn by turn: median, lowest and highest ratio. Pure."""
    by_turn = {(one.turn, one.condition): one for one in stretches}
    pairs = [
        (by_turn[turn, condition], by_turn[turn, "alone"])
        for turn in sorted({one.turn for one in stretches})
        if (turn, condition) in by_turn and (turn, "alone") in by_turn
    ]
    found = {}
    for name in ("completed_per_s", "p50_s", "p99_s"):
        ratios = [getattr(one, name) / getattr(base, name) for one, base in pairs]
        found[name] = {"median": median(ratios), "low": min(ratios), "high": max(ratios)}
    return found


def pooled(stretches: Sequence[Stretch], condition: str, share: float) -> float:
    """The quantile, in seconds, over the records of all turns together. Pure."""
    return percentile(
        [ms / 1e3 for one in stretches if one.condition == condition for ms in one.milliseconds],
        share,
    )


def table(document: Mapping[str, Any]) -> str:
    """What came out, as Markdown."""
    lines = [
        "| | P50, ms | P99, ms | over alone: completed | P50 | P99 |",
        "|---|---|---|---|---|---|",
    ]
    for condition, found in document["summary"].items():
        times = [f"{found[name] * 1e3:.0f}" for name in ("p50_s", "p99_s")]
        ratios = [
            f"{one['median']:.3f} ({one['low']:.3f} – {one['high']:.3f})"
            for one in found["over_alone"].values()
        ]
        lines.append(f"| {' | '.join([condition, *times, *ratios])} |")
    return "\n".join(lines)


# --- one run --------------------------------------------------------------------------------


def _run(folder: Path, cores: Cores, arguments: argparse.Namespace) -> dict[str, Any]:
    os.sched_setaffinity(0, cores.load)
    environment = {"MGEO_DEVICE": "cpu", "MGEO_CPU_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ.update(environment)
    facts = {
        "began_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": describe_machine(),
        "cores": asdict(cores),
        "load_average_at_start": load_average(),
    }
    with ExitStack() as stack:
        with _on(cores.broker):
            broker = stack.enter_context(LocalBroker(LocalSettings(), work_dir=folder / "kafka"))
        kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
        base = environment_of(kafka.kafka_bootstrap_servers, folder / "store", REFERENCE)
        services = stack.enter_context(Services({**base, **environment}, folder))
        pids = {"broker": broker.pid, "load": os.getpid()}
        bench = _Bench(kafka, services, cores, pids, arguments.per_record)
        return facts | asyncio.run(bench.measure(arguments))


@contextmanager
def _on(cores: Sequence[int]) -> Iterator[None]:
    """What is started inside runs on these cores alone, with every thread that it makes."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class _Bench:
    """One broker, one stable worker, and what comes and goes beside it."""

    def __init__(
        self,
        kafka: KafkaSettings,
        services: Services,
        cores: Cores,
        pids: dict[str, int],
        per_record: int,
    ) -> None:
        self._kafka = kafka
        self._services = services
        self._cores = cores
        self._pids = pids
        self._per_record = per_record
        self._reference, self._candidate = (spec_of(name) for name in (REFERENCE, CANDIDATE))
        self._revision = 0
        texts = distinct_addresses(1_000_000, seed=1)
        self._load = OpenLoad(kafka, texts, per_record=per_record, partitions=PARTITIONS)

    async def measure(self, arguments: argparse.Namespace) -> dict[str, Any]:
        from deploy.topics import TopicAdmin

        async with TopicAdmin(self._kafka) as admin:
            await admin.create(partitions=PARTITIONS, replication=1)
        await self._write(None)
        capacity = await self._capacity(arguments.capacity_addresses)
        load = capacity / 2
        _say(f"capacity {capacity:.0f} addresses/s, load {load:.0f}")
        shadow_port = free_port()
        with _on(self._cores.shadow):
            worker = ("worker", "--role", "shadow", "--port", str(shadow_port))
            self._pids["shadow"] = self._services.start("shadow worker", *worker).pid
        await _until_calm(self._pids["shadow"])
        conditions = [one for one in CONDITIONS if one not in arguments.leave_out]
        stretches: list[Stretch] = []
        for turn in range(arguments.turns):
            shift = turn % len(conditions)  # none is always the first
            for condition in (*conditions[shift:], *conditions[:shift]):
                async with self._under(condition, turn, shadow_port) as group:
                    stretch = await self._stretch(turn, condition, load, arguments.seconds, group)
                stretches.append(stretch)
                _say(
                    f"{turn + 1}/{arguments.turns} {condition}: "
                    f"{stretch.completed_per_s:.1f} addresses/s, P50 {stretch.p50_s * 1e3:.1f}, "
                    f"P99 {stretch.p99_s * 1e3:.1f} ms, {stretch.behind} behind, "
                    + ", ".join(f"{name} {part:.2f}" for name, part in stretch.cpu.items())
                )
        return {
            "capacity_addresses_per_s": capacity,
            "offered_addresses_per_s": load,
            "addresses_per_record": self._per_record,
            "partitions": PARTITIONS,
            "summary": {
                condition: {
                    "p50_s": pooled(stretches, condition, 0.5),
                    "p99_s": pooled(stretches, condition, 0.99),
                    "over_alone": compared(stretches, condition),
                }
                for condition in conditions
            },
            "stretches": [asdict(one) for one in stretches],
        }

    # --- the conditions ---------------------------------------------------------------------

    @asynccontextmanager
    async def _under(self, condition: str, turn: int, port: int) -> AsyncIterator[str | None]:
        """Bring a condition about; the shadow's group where there is one."""
        if condition == "shadow":
            rollout = await self._rollout(f"r-{turn}")
            await self._write(rollout)
            await until_ready(self._services, port, what="shadow worker")
            try:
                yield self._kafka.names.shadow_group(rollout.rollout_id)
            finally:
                await self._write(None)
                await _until_calm(self._pids["shadow"])
        elif condition == "computing":
            with _on(self._cores.shadow):
                computing = subprocess.Popen(  # noqa: ASYNC220  (a fork is short)
                    [sys.executable, "-m", "benchmarks.shadow_cost", "--compute"],
                    stdout=subprocess.PIPE,
                )
            try:
                assert computing.stdout is not None
                await asyncio.to_thread(computing.stdout.readline)
                yield None
            finally:
                computing.kill()
                computing.wait()
        else:
            yield None

    async def _rollout(self, rollout_id: str) -> Rollout:
        now = datetime.now(UTC).isoformat()
        policy = Policy()
        return Rollout(
            rollout_id=rollout_id,
            candidate=self._candidate,
            reference=self._reference,
            policy=policy,
            policy_digest=digest_of(policy),
            share=1.0,
            from_offsets=await self._ends(self._kafka.names.events),
            started_revision=self._revision + 1,
            started_at=now,
            phase_entry=self._revision + 1,
            phase_since=now,
        )

    async def _write(self, rollout: Rollout | None) -> None:
        """The next control record: with a rollout in its shadowing, or without."""
        self._revision += 1
        state = RolloutState(
            incarnation="bench",
            revision=self._revision,
            serving=ServingSet(stable=self._reference, serving_epoch=1),
            phase=None if rollout is None else Phase.SHADOWING,
            updated_at=datetime.now(UTC).isoformat(),
            rollout=rollout,
        )
        async with AIOKafkaProducer(**client_options(self._kafka)) as producer:
            await producer.send_and_wait(
                self._kafka.names.control, encode_state(state), key=CONTROL_KEY
            )

    # --- load -------------------------------------------------------------------------------

    async def _capacity(self, addresses: int) -> float:
        """Addresses a second that the stable worker drains of a backlog in this arrangement."""
        names = self._kafka.names
        sent = await self._load.backlog(addresses)
        port = free_port()
        with _on(self._cores.stable):
            worker = self._services.start("stable worker", "worker", "--port", str(port))
        self._pids["stable"] = worker.pid
        await until_ready(self._services, port, what="stable worker")
        ends = await self._ends(names.events)
        while await committed_offsets(self._kafka, names.stable_group, names.events) != ends:
            self._services.check()
            await asyncio.sleep(0.5)
        return drain_rate(*await results(self._kafka, sent))

    async def _stretch(
        self, turn: int, condition: str, load: float, seconds: float, group: str | None
    ) -> Stretch:
        names = self._kafka.names
        before = sum((await self._ends(names.events)).values())
        loaded = await self._load.run(load, seconds, watched=self._pids)
        shadowed = behind = 0
        if group is not None:
            passed = sum((await committed_offsets(self._kafka, group, names.events)).values())
            end = sum((await self._ends(names.events)).values())
            shadowed, behind = passed - before, end - passed
        self._services.check()
        return Stretch(
            turn=turn,
            condition=condition,
            completed_per_s=loaded.completed_per_s,
            p50_s=percentile(loaded.seconds, 0.5),
            p99_s=percentile(loaded.seconds, 0.99),
            max_s=max(loaded.seconds),
            cpu=loaded.cpu,
            shadowed=shadowed,
            behind=behind,
            load_average=load_average(),
            milliseconds=tuple(round(span * 1e3, 1) for span in loaded.seconds),
        )

    async def _ends(self, topic: str) -> dict[int, int]:
        async with TopicLog(self._kafka, topic) as log:
            return await log.ends()


async def _until_calm(pid: int) -> None:
    """Wait until a process has nothing to do: it has come up, or let its models go."""
    process = psutil.Process(pid)
    while True:
        before = process.cpu_times()
        await asyncio.sleep(2.0)
        after = process.cpu_times()
        if after.user + after.system - before.user - before.system < CALM_S:
            return


def spec_of(version: str) -> ModelSpec:
    """A starter model as the CPU runs it."""
    from consumer.settings import ParserSettings
    from consumer.store.first_spec import first_spec

    settings = ParserSettings(version=version, device="cpu", precision="fp32")
    return first_spec(settings, now=datetime.now(UTC), notice=lambda _: None)


def _compute() -> None:
    """Run the reference's network over and over, until nobody is left to stop it."""
    import numpy as np

    from consumer.parser.opening import open_spec
    from consumer.settings import ParserSettings

    parent = os.getppid()
    settings = ParserSettings(version=REFERENCE, device="cpu", precision="fp32", cpu_threads=1)
    encoder = open_spec(spec_of(REFERENCE), settings).encoder
    ids = np.ones((64, 28), dtype=np.int64)
    lengths = np.full(64, 28, dtype=np.int64)
    print("computing", flush=True)
    while os.getppid() == parent:
        encoder.encode(ids, lengths)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
