"""Does the latency gate stop a slower candidate and pass an equal one, on a live machine?

``python -m benchmarks.latency_gate --minutes 10`` lets a real shadow worker run both models on
real traffic and folds its pairs through the real evidence and judge under the shipped policy, run
after run: with a candidate that real added layers make 1.25 times slower, and with the same
weights under two versions; live at a tenth of capacity, live at full load, in replay, and with
another process burning a core. Runs are kept as they end; started again, it goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.latency_runs import CANDIDATES, MODES, Book, Outcome, Run, add, read, table
from benchmarks.latency_stage import Stage, clients, machinery, models, topics, worker
from benchmarks.real_pairs import HERE
from contracts.judgement import GateResult, Judgement
from contracts.policy import Policy
from contracts.rollout import Offsets, Rollout
from deploy.demo.traffic import addresses
from producer import AddressPublisher
from rollout.evidence.reader import EvidenceReader

GATES: Final = ("latency_p99", "latency_ratio")
_SHIPPED: Final = 2048
_SMALL: Final = 64
TOKEN_BUDGET: Final = {"tenth": _SHIPPED, "full": _SMALL, "replay": _SMALL, "burning": _SMALL}
"""Small where batches fill, so that they come fast: two or three addresses in each. Larger ones
average out more noise."""
LIMIT_S: Final = 300.0
CUT_S: Final = 1.0
TEXTS: Final = 20_000
BACKLOG: Final = 6000
"""Records that a replay has before it: more than the 600 device batches that a pass takes."""
WARM_S: Final = 2.0
MEASURED_S: Final = 5.0
"""Processor time over which capacity is measured."""

PACE: Final = {"tenth": 0.1, "burning": 0.5, "full": 2.0, "replay": 0.0}
"""Addresses a second as a part of capacity; beyond 1 the worker never waits for input.

A record has one address: at a tenth of capacity nearly every one is a device batch of its own,
which is the fastest way to the gates' own sizes; those and the thresholds stay as shipped."""

BURN: Final = "import os; us = os.getppid()\nwhile os.getppid() == us: pass"
"""Burns a core, and stops when nobody is left to stop it."""


def main() -> None:
    """Run what is left, keep every run, print the summary; leave with 0 once all of it holds."""
    chosen = _arguments()
    book = read(chosen.out, conditions())
    stop_at = time.monotonic() + 60.0 * chosen.minutes
    for budget in dict.fromkeys(TOKEN_BUDGET[mode] for mode in chosen.mode or MODES):
        modes = [mode for mode in chosen.mode or MODES if TOKEN_BUDGET[mode] == budget]
        left = book.left(chosen.runs, modes, chosen.candidate or CANDIDATES)
        if left and time.monotonic() < stop_at:
            with tempfile.TemporaryDirectory() as scratch:
                book = _slice(book, left, chosen.out, Path(scratch), stop_at)
    print(table(book.cells()))
    raise SystemExit(0 if book.holds else 1)


def conditions() -> dict[str, Any]:
    """What has to be the same for all runs of one book."""
    gates = Policy().gates
    return {
        "latency_p99": gates.latency_p99.model_dump(),
        "latency_ratio": gates.latency_ratio.model_dump(),
        "alpha": Policy().alpha.model_dump(),
        "token_budget": TOKEN_BUDGET,
        "part_of_capacity": PACE,
        "limit_s": LIMIT_S,
        "cut_s": CUT_S,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="of each kind")
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--candidate", action="append", choices=CANDIDATES)
    parser.add_argument("--out", type=Path, default=HERE / "latency-gate.json")
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="begin no run after so long; go on another time"
    )
    return parser.parse_args()


def _slice(
    book: Book, left: Sequence[tuple[str, str, int]], out: Path, folder: Path, stop_at: float
) -> Book:
    """All of these runs with one worker, or as many as fit into the time."""
    with machinery(folder, TOKEN_BUDGET[left[0][0]]) as (kafka, services, store):
        reference, others = models(folder, store)

        async def play() -> Book:
            await topics(kafka)
            producer, admin = clients(kafka)
            async with producer, AddressPublisher(kafka) as publisher:
                await admin.start()
                try:
                    stage = Stage(
                        kafka, services, *worker(services), reference, others, producer, admin
                    )
                    runs = Slice(stage, publisher, list(islice(addresses(), TEXTS)))
                    await runs.prepare()
                    return await runs.run(book, left, out, stop_at)
                finally:
                    await admin.close()

        return asyncio.run(play())


class Slice:
    """Runs, one after another, with one worker.

    Args:
        stage: the running system.
        publisher: of the traffic.
        texts: addresses that it is made of.
    """

    def __init__(self, stage: Stage, publisher: AddressPublisher, texts: Sequence[str]) -> None:
        self._stage = stage
        self._publisher = publisher
        self._texts = texts
        self._backlog: Offsets = {}
        self.capacity = 0.0

    async def prepare(self) -> None:
        """Write the backlog of the replays, and measure capacity on it."""
        self._backlog = await self._stage.ends()
        await self._publish(random.Random("backlog"), BACKLOG)
        rollout = await self._stage.register("r-capacity", "same", replay_from=self._backlog)
        await asyncio.sleep(WARM_S)
        began, before = self._stage.processor_s(), await self._stage.committed(rollout)
        while self._stage.processor_s() < began + MEASURED_S:
            self._stage.services.check()
            await asyncio.sleep(0.5)
        ended, after = self._stage.processor_s(), await self._stage.committed(rollout)
        await self._stage.end(rollout)
        # Of a core of its own: what others did meanwhile is not in it.
        self.capacity = (sum(after.values()) - sum(before.values())) / (ended - began)

    async def run(
        self, book: Book, left: Sequence[tuple[str, str, int]], out: Path, stop_at: float
    ) -> Book:
        """Run these until time is up. What was begun is finished: no long run is left out."""
        console = Console(file=sys.stderr)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=len(left))
            for mode, candidate, seed in left:
                if time.monotonic() > stop_at:
                    break
                progress.update(task, description=f"{mode} {candidate} {seed}")
                made = await self._run(mode, candidate, seed)
                book = add(out, book.conditions, made)
                progress.advance(task)
                progress.console.print(
                    f"{mode} {candidate} {seed}: {made.outcome}{'' if made.right else ' (WRONG)'} "
                    f"{' '.join(made.by)} ratio {made.ratio} excess {made.excess} "
                    f"batches {made.batches} warm {made.warming_s:.1f} s, {made.seconds:.1f} s, "
                    f"load {made.load:.1f}",
                    highlight=False,
                )
        return book

    async def _run(self, mode: str, candidate: str, seed: int) -> Run:
        name = f"r-{mode}-{candidate}-{seed}"
        began = time.monotonic()
        async with _burning(mode):
            replay = self._backlog if mode == "replay" else None
            rollout = await self._stage.register(name, candidate, replay_from=replay)
            warm = time.monotonic()
            async with (
                EvidenceReader(self._stage.open_log, self._stage.kafka.names, rollout) as reader,
                asyncio.TaskGroup() as group,
            ):
                feeding = group.create_task(self._feed(mode, random.Random(name)))
                outcome, judgement = await self._until_answered(reader, rollout)
                feeding.cancel()
            answered = time.monotonic()
        await self._stage.end(rollout)
        p99, ratio = (judgement.gate(gate) for gate in GATES)
        assert p99 is not None
        assert ratio is not None
        return Run(
            mode=mode,
            candidate=candidate,
            seed=seed,
            outcome=outcome,
            by=tuple(gate.name for gate in (p99, ratio) if gate.status == "failed"),
            batches=ratio.n,
            against_limit=p99.n,
            ratio=ratio.value,
            ratio_bound=ratio.bound,
            excess=p99.value,
            warming_s=round(warm - began, 2),
            seconds=round(answered - warm, 2),
            capacity=round(self.capacity, 1),
            load=round(os.getloadavg()[0], 2),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    async def _until_answered(
        self, reader: EvidenceReader, rollout: Rollout
    ) -> tuple[Outcome, Judgement]:
        began = time.monotonic()
        number = 0
        while True:
            await asyncio.sleep(0.0 if reader.behind else CUT_S)
            self._stage.services.check()
            number += 1
            committed = await self._stage.committed(rollout)
            passed = time.monotonic() - began
            cut = await reader.take_cut(number, datetime.now(UTC), int(1000 * passed), committed)
            judgement = await reader.advance(cut)
            outcome = answer([gate for gate in judgement.gates if gate.name in GATES])
            if outcome != "undecided" or passed > LIMIT_S:
                return outcome, judgement

    async def _feed(self, mode: str, rng: random.Random) -> None:
        """The traffic of a mode, until cancelled. Records come at random moments."""
        per_second = PACE[mode] * self.capacity
        if not per_second:
            return
        async with asyncio.TaskGroup() as confirming:
            due = time.monotonic()
            while True:
                confirming.create_task(self._publish(rng, 1))
                # Where this falls behind, it does not make up for more than a second.
                due = max(due + rng.expovariate(per_second), time.monotonic() - 1.0)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _publish(self, rng: random.Random, records: int) -> None:
        chosen = rng.choices(self._texts, k=records)
        for start in range(0, records, 500):
            part = chosen[start : start + 500]
            await asyncio.gather(*(self._publisher.publish([one]) for one in part))


def answer(gates: Sequence[GateResult]) -> Outcome:
    """What both latency gates say at one look."""
    statuses = {gate.name: gate.status for gate in gates}
    if "failed" in statuses.values():
        return "stopped"
    return "passed" if statuses == dict.fromkeys(GATES, "passed") else "undecided"


@asynccontextmanager
async def _burning(mode: str) -> AsyncIterator[None]:
    if mode != "burning":
        yield
        return
    burner = await asyncio.create_subprocess_exec(sys.executable, "-c", BURN)
    try:
        yield
    finally:
        burner.kill()
        await burner.wait()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
