"""Latency gates on slow models and busy machines: ``python -m benchmarks.simulated_latency``.

Simulated device times through the real judge, with a look every few batches; real timings of real
models are measured live. Contention strikes both models of a batch together, or one of them alone,
since one runs after the other; load comes, goes, and comes after the limit was set.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.real_pairs import HERE
from contracts.judgement import Accounting
from contracts.policy import Policy
from rollout.evidence.outcomes import BatchOutcome
from rollout.judge import Judge, Look
from rollout.stats.display import clopper_pearson_interval

SLOWER: Final = 1.25
_GATES: Final = ("latency_p99", "latency_ratio")


@dataclass(frozen=True, slots=True)
class Machine:
    """How times behave.

    Attributes:
        spread: standard deviation of the logarithm of a time beside what its batch size explains.
        sizes: likewise of what it explains, the same for both models.
        contended: share of batches during which something else runs.
        shared: chance that it strikes both models, not one.
        stretch: how many times as long a struck model takes.
        second: what running second gains.
        loaded_from: batch from which everything takes 1.6 times as long; -1 is never.
    """

    spread: float = 0.05
    sizes: float = 0.3
    contended: float = 0.0
    shared: float = 0.7
    stretch: float = 2.0
    second: float = 1.0
    loaded_from: int = -1


MACHINES: Final = {
    "a tenth of capacity": Machine(),
    "full load": Machine(spread=0.1, contended=0.1),
    "replay": Machine(spread=0.08, sizes=0.1, second=0.9),
    "a core burnt beside it": Machine(spread=0.2, contended=0.4, shared=0.5),
    "load that sets in later": Machine(spread=0.1, contended=0.1, loaded_from=400),
}


def times(
    machine: Machine, index: int, candidate_first: bool, slower: float, rng: random.Random
) -> tuple[float, float]:
    """Candidate and reference time of one batch, milliseconds."""
    size = rng.lognormvariate(2.0, machine.sizes)
    pair = [size * rng.lognormvariate(0.0, machine.spread) for _ in range(2)]
    pair[0] *= slower
    pair[1 if candidate_first else 0] *= machine.second
    if rng.random() < machine.contended:
        struck = (0, 1) if rng.random() < machine.shared else (rng.randrange(2),)
        for side in struck:
            pair[side] *= machine.stretch
    if 0 <= machine.loaded_from <= index:
        pair = [1.6 * one for one in pair]
    return pair[0], pair[1]


def judged(machine: Machine, slower: float, seed: int, batches: int, every: int = 20) -> str:
    """``stopped``, ``passed`` or ``undecided``, of both latency gates together.

    Passed is at the first look at which both have passed: that is when a rollout could go on.
    """
    rng = random.Random(f"latency-{seed}")
    judge = Judge(Policy(), attempt=1, golden=None)
    for index in range(1, batches + 1):
        first = rng.random() < 0.5
        candidate, reference = times(machine, index, first, slower, rng)
        order = "candidate_first" if first else "reference_first"
        judge.batch(BatchOutcome(str(index), 20, 500, order, candidate, reference))  # type: ignore[arg-type]
        if index % every == 0:
            said = judge.look(Look(index // every, 0, 0, Accounting(), 0, index))
            statuses = [gate.status for gate in said.gates if gate.name in _GATES]
            if "failed" in statuses:
                return "stopped"
            if statuses == ["passed"] * len(_GATES):
                return "passed"
    return "undecided"


def figures(
    runs: int, batches: int, done: Callable[[], None] = lambda: None
) -> dict[str, dict[str, Any]]:
    """How often the same model passes and a slower one is stopped, on each machine."""
    found: dict[str, dict[str, Any]] = {}
    for name, machine in MACHINES.items():
        found[name] = {}
        for case, slower, wanted in (("same", 1.0, "passed"), ("slower", SLOWER, "stopped")):
            hits = 0
            for seed in range(runs):
                hits += judged(machine, slower, seed, batches) == wanted
                done()
            low, high = clopper_pearson_interval(hits, runs)
            found[name][f"{case} {wanted}"] = {
                "hits": hits,
                "runs": runs,
                "low": round(low, 4),
                "high": round(high, 4),
            }
    return found


def main() -> None:
    """Simulate, print, keep."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=200, help="of each case")
    options.add_argument("--batches", type=int, default=4000, help="device batches at most")
    options.add_argument("--out", type=Path, default=HERE / "simulated-latency.json")
    chosen = options.parse_args()

    from rich.progress import Progress

    with Progress() as progress:
        task = progress.add_task("rollouts", total=2 * chosen.runs * len(MACHINES))
        found = figures(chosen.runs, chosen.batches, lambda: progress.advance(task))
    text = json.dumps({"batches": chosen.batches, "slower": SLOWER, "figures": found}, indent=1)
    chosen.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
