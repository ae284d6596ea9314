"""How often the judge promotes what it must not: ``python -m benchmarks.false_promotion``.

Every rollout goes through the real fold and the real judge, with a look at every cut, on traffic
resampled from real paired outputs (``traffic``). The same looks taken with a Wilson bound are the
negative control: if that kept to α too, this harness could not tell a sound judge from an unsound.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from benchmarks.kept_runs import KeptRuns, Row
from benchmarks.real_pairs import HERE, STORED, stored_pairs
from benchmarks.traffic import Damage, Pool, Shape, Traffic, rollout_of
from contracts.judgement import Verdict
from contracts.policy import Policy
from rollout.evidence import Trial
from rollout.policy import policy_digest
from rollout.stats.display import clopper_pearson_interval, wilson_interval

Scenario = Literal[
    "exact_at_threshold", "f1_at_threshold", "exact_above", "f1_above", "exact_as_it_is"
]
"""Which figure is where: exactly on its threshold, one point above it, or as it really is. The
other is left as it really is, above its own threshold."""

ONE_POINT: Final = 0.01
_ONE_SIDED_Z: Final = 1.6448536
"""Of a Wilson lower bound that is wrong in 5% of single looks."""


@dataclass(frozen=True, slots=True)
class Run:
    """One simulated rollout.

    Attributes:
        scenario: see above.
        seed: makes it again.
        verdict: the last one.
        code: of it.
        looks: how many there were.
        units: distinct addresses judged.
        proven: the gate in question crossed at some look.
        wilson: a Wilson lower bound on exact match lay above the threshold at some look.
    """

    scenario: Scenario
    seed: int
    verdict: Verdict
    code: str
    looks: int
    units: int
    proven: bool
    wilson: bool


def policy_of(max_pairs: int) -> Policy:
    """The shipped thresholds and error probabilities, on evidence that a simulation can afford."""
    return Policy.model_validate(
        {
            "shadow": {
                "min_pairs": min(500, max_pairs),
                "max_pairs": max_pairs,
                "min_duration": "5m",
                "max_duration": "8760h",
            },
            "gates": {
                "latency_p99": {"min_batches": 100},
                "latency_ratio": {"min_batches": 100},
            },
        }
    )


def simulate(
    scenario: Scenario,
    seed: int,
    *,
    max_pairs: int,
    records_per_cut: int,
    shape: Shape | None = None,
) -> Run:
    """One rollout, to its verdict."""
    policy, pool = policy_of(max_pairs), _pool()
    gates = policy.gates
    above = ONE_POINT if scenario.endswith("above") else 0.0
    if scenario == "exact_as_it_is":
        gate, damage = "exact_match", Damage()
    elif scenario.startswith("exact"):
        gate = "exact_match"
        damage = Damage.to_exact_match(pool.pairs, gates.exact_match.min + above)
    else:
        gate = "span_f1"
        damage = Damage.to_span_f1(pool.pairs, gates.span_f1.min + above)
    traffic = Traffic(
        pool, seed, damage=damage, shape=shape or Shape(), records_per_cut=records_per_cut
    )
    trial = Trial(rollout_of(policy, seed))
    wilson = False
    for delivery in traffic.cuts():
        said = trial.advance(delivery.cut, delivery.pairs, delivery.parsed, delivery.missing)
        seen = said.gate("exact_match")
        if seen is not None and seen.value is not None and seen.n >= 100:
            low, _ = wilson_interval(round(seen.value * seen.n), seen.n, z=_ONE_SIDED_Z)
            wilson = wilson or low > gates.exact_match.min
        full = said.accounting.distinct >= max_pairs
        if said.verdict in ("pass", "fail", "inconclusive") or full:
            return Run(
                scenario=scenario,
                seed=seed,
                verdict=said.verdict,
                code=said.code,
                looks=delivery.cut.number,
                units=said.accounting.distinct,
                proven=gate in said.proven,
                wilson=wilson,
            )
    raise AssertionError("traffic has no end")


@lru_cache(maxsize=1)
def _pool() -> Pool:
    return Pool(stored_pairs(STORED))


def share_of(hits: int, runs: int) -> dict[str, float | int]:
    """A share with its exact 95% interval."""
    low, high = clopper_pearson_interval(hits, runs)
    return {
        "runs": runs,
        "hits": hits,
        "share": round(hits / runs, 5),
        "low": round(low, 5),
        "high": round(high, 5),
    }


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """What the runs of one scenario show."""
    units = sorted(row["units"] for row in rows if row["verdict"] == "pass")
    return {
        "promoted": share_of(sum(row["verdict"] == "pass" for row in rows), len(rows)),
        "gate_proven": share_of(sum(row["proven"] for row in rows), len(rows)),
        "aborted": share_of(sum(row["verdict"] == "fail" for row in rows), len(rows)),
        "wilson_at_some_look": share_of(sum(row["wilson"] for row in rows), len(rows)),
        "looks_mean": round(sum(row["looks"] for row in rows) / len(rows), 1),
        "median_addresses_to_promotion": units[len(units) // 2] if units else None,
    }


def _many(jobs: Iterable[tuple[Scenario, int, int, int]]) -> list[Run]:
    return [
        simulate(scenario, seed, max_pairs=most, records_per_cut=records)
        for scenario, seed, most, records in jobs
    ]


def _conditions(most: int, records: int) -> dict[str, Any]:
    """What a run depends on, beside its seed and the code."""
    return {
        "max_pairs": most,
        "records_per_cut": records,
        "policy": policy_digest(policy_of(most)),
        "traffic": asdict(Shape()),
    }


def main() -> None:
    """Simulate what is not in the file yet, print, keep the raw figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--null", type=int, default=2000, help="rollouts at each threshold")
    options.add_argument("--power", type=int, default=400, help="rollouts above each threshold")
    options.add_argument("--max-pairs", type=int, default=1000, help="of the rollouts at it")
    options.add_argument("--power-max-pairs", type=int, default=60_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--only", nargs="*", default=None, metavar="SCENARIO")
    options.add_argument("--anew", action="store_true", help="run again what is in the file")
    options.add_argument("--out", type=Path, default=HERE / "false-promotion.json")
    chosen = options.parse_args()

    from rich.progress import Progress

    plan: list[tuple[Scenario, int, int, int]] = [
        ("exact_at_threshold", chosen.null, chosen.max_pairs, 12),
        ("f1_at_threshold", chosen.null, chosen.max_pairs, 12),
        ("exact_above", chosen.power, chosen.power_max_pairs, 200),
        ("f1_above", chosen.power, chosen.power_max_pairs, 200),
    ]
    plan = [one for one in plan if chosen.only is None or one[0] in chosen.only]
    kept = KeptRuns(
        chosen.out, {scenario: _conditions(most, records) for scenario, _, most, records in plan}
    )
    with ProcessPoolExecutor(chosen.workers) as workers, Progress() as progress:
        for scenario, count, most, records in plan:
            seeds = set(range(chosen.seed, chosen.seed + count))
            left = sorted(seeds if chosen.anew else seeds - kept.seeds(scenario))
            jobs = [(scenario, seed, most, records) for seed in left]
            parts = [workers.submit(_many, jobs[at : at + 5]) for at in range(0, len(jobs), 5)]
            task = progress.add_task(scenario, total=count, completed=count - len(left))
            for part in as_completed(parts):
                runs = part.result()
                kept.add(asdict(run) for run in runs)
                progress.update(task, advance=len(runs))
                _write(kept)
            progress.console.print(scenario, figures(kept.rows(scenario)))


def _write(kept: KeptRuns) -> None:
    head = {
        "alpha": policy_of(100).alpha.model_dump(),
        "figures": {
            scenario: figures(rows)
            for scenario in get_args(Scenario)
            if (rows := kept.rows(scenario))
        },
    }
    kept.write(head, [column.name for column in fields(Run)])


if __name__ == "__main__":
    main()
