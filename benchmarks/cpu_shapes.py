"""What batches of ever new shapes cost a CPU, in memory and time.

``python -m benchmarks.cpu_shapes`` runs the second starter model over batches of random shapes,
once as shipped, where numbers of rows are rounded up (``network.padded_rows``), and once with
every number as it comes. Each in a process of its own, one thread of torch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Final

import psutil

VARIANTS: Final = ("rounded", "as it comes")


def main() -> None:
    """Print a table of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--token-budget", type=int, default=2048)
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.variant is not None:
        print(json.dumps(_measure(chosen.variant, chosen.batches, chosen.token_budget)))
        return
    print("| rows | memory before, MiB | after | full batches, ms | one address, ms | its P99 |")
    print("|---|---|---|---|---|---|")
    for variant in VARIANTS:
        sizes = ["--batches", str(chosen.batches), "--token-budget", str(chosen.token_budget)]
        outcome = subprocess.run(
            [sys.executable, "-m", "benchmarks.cpu_shapes", "--variant", variant, *sizes],
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(outcome.stdout)
        print(f"| {variant} | " + " | ".join(str(one) for one in found.values()) + " |")


def _measure(variant: str, batches: int, budget: int) -> dict[str, float]:
    import numpy as np

    from benchmarks.shadow_cost import REFERENCE, spec_of
    from consumer.parser import network
    from consumer.parser.opening import open_spec
    from consumer.settings import ParserSettings

    if variant != "rounded":
        network.padded_rows = lambda rows: rows
    settings = ParserSettings(version=REFERENCE, device="cpu", precision="fp32", cpu_threads=1)
    encoder = open_spec(spec_of(REFERENCE), settings).encoder
    encoder.warm_up(128)
    process, rng = psutil.Process(), np.random.default_rng(1)
    before = process.memory_info().rss

    def run(rows: int, length: int) -> float:
        ids = np.ones((rows, length), dtype=np.int64)
        began = time.thread_time()
        encoder.encode(ids, np.full(rows, length, dtype=np.int64))
        return 1e3 * (time.thread_time() - began)

    lengths = rng.integers(12, 60, size=batches)
    single = sorted(run(1, int(length)) for length in rng.integers(8, 100, size=batches))
    full = [run(budget // int(one) - int(rng.integers(0, 4)), int(one)) for one in lengths]
    return {
        "before": before >> 20,
        "after": process.memory_info().rss >> 20,
        "full": round(sum(full) / len(full), 1),
        "single": round(single[len(single) // 2], 2),
        "single_p99": round(single[int(len(single) * 0.99)], 2),
    }


if __name__ == "__main__":
    main()
