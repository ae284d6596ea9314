"""The network alone on a device: `python -m benchmarks.encoder --device cuda --out FILE`.

It measures, with a model of the store or random weights,
- one batch of several shapes, ids in and scores out,
- one row while another thread of this process runs Python without a pause, as a worker's event
  loop does in a drain: what the interpreter's lock costs,
- how many different scores, to the bit, one text has in changing company.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consumer.parser.isolation import padded
from consumer.parser.opening import open_model
from consumer.parser.seams import Encoder
from consumer.settings import ParserSettings
from deploy.bench.models import find_model

SHAPES: Final = ((1, 32), (32, 32), (64, 32), (256, 32), (1024, 32))
LENGTHS: Final = (9, 17, 20, 23, 31, 40, 63)
SWITCH_INTERVALS_S: Final = (0.005, 0.001)
KNOWN_TOKENS: Final = 1000
"""Ids below this are in every vocabulary that is measured."""


def milliseconds(call: Callable[[], object], turns: int) -> dict[str, float]:
    """Median and most of so many calls, after two that do not count."""
    times = []
    for turn in range(turns + 2):
        began = time.perf_counter()
        call()
        if turn >= 2:
            times.append(1e3 * (time.perf_counter() - began))
    times.sort()
    return {"median": round(times[turns // 2], 2), "most": round(times[-1], 2)}


@contextmanager
def busy_thread() -> Iterator[None]:
    """A thread that wants the interpreter's lock all the time."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            sum(range(1000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def full(rows: int, width: int, rng: np.random.Generator) -> tuple[Any, NDArray[np.int64]]:
    """A batch without padding."""
    return rng.integers(5, KNOWN_TOKENS, (rows, width)), np.full(rows, width, dtype=np.int64)


def different_scores(encoder: Encoder, batches: int, rng: np.random.Generator) -> list[int]:
    """Of each of some texts, over so many batches with others of all lengths; 1 is best."""
    texts = [rng.integers(5, KNOWN_TOKENS, length) for length in LENGTHS]
    seen: list[set[bytes]] = [set() for _ in texts]
    for _ in range(batches):
        width = int(rng.integers(9, 110))
        company = [
            rng.integers(5, KNOWN_TOKENS, int(rng.integers(3, width + 1)))
            for _ in range(int(rng.integers(1, 60)))
        ]
        watched = [number for number in range(len(texts)) if rng.random() < 0.4]
        rows = [(-1, one) for one in company] + [(number, texts[number]) for number in watched]
        rows = [rows[place] for place in rng.permutation(len(rows))]
        scores = encoder.encode(*padded([row for _, row in rows]))
        for place, (number, row) in enumerate(rows):
            if number >= 0:
                seen[number].add(scores[place, : len(row)].tobytes())
    return [len(found) for found in seen]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("encoder.json"))
    parser.add_argument("--device", default="auto", help="cpu, cuda or cuda:N")
    parser.add_argument("--model", default="base-random", help="as for mgeo bench")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--batches", type=int, default=200, help="of changing company")
    given = parser.parse_args()
    rng = np.random.default_rng(1)
    figures: dict[str, Any] = {"model": given.model}

    def note(name: str, value: object) -> None:
        figures[name] = value
        print(name, json.dumps(value), flush=True)
        given.out.write_text(json.dumps(figures, indent=1) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        model = find_model(given.model, scratch=Path(folder), seed=1)
        settings = ParserSettings(
            device=given.device,
            cpu_threads=1,
            version=model.environment["MGEO_VERSION"],
            model_store=model.environment.get("MGEO_MODEL_STORE"),
        )
        encoder = open_model(settings.version, settings).encoder
    note("device", encoder.device_name)
    began = time.perf_counter()
    encoder.warm_up(settings.sequence_length)
    note("warm_up_ms", round(1e3 * (time.perf_counter() - began)))
    for rows, width in SHAPES:
        ids, lengths = full(rows, width, rng)
        turns = max(3, given.turns * 32 // max(32, rows))
        note(f"{rows}x{width}_ms", milliseconds(lambda: encoder.encode(ids, lengths), turns))  # noqa: B023
    ids, lengths = full(1, 32, rng)
    usual = sys.getswitchinterval()
    for interval in SWITCH_INTERVALS_S:
        sys.setswitchinterval(interval)
        with busy_thread():
            found = milliseconds(lambda: encoder.encode(ids, lengths), max(3, given.turns // 3))
        note(f"1x32_beside_a_busy_thread_switching_every_{interval}_s_ms", found)
    sys.setswitchinterval(usual)
    note("different_scores_of_one_text", different_scores(encoder, given.batches, rng))


if __name__ == "__main__":
    main()
