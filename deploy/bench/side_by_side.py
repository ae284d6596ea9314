"""modelscope's own pipeline and ours on the same weights and texts, in one process, by turns."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(job_path: str) -> None:
    """Run a job file; print one JSON line per measurement.

    The job: ``{"checkpoint", "addresses": {way: texts}, "repetitions"}`` with the ways
    ``default`` (the pipeline as it comes), ``tuned`` (``batch_size=32, sequence_length=128``)
    and ``ours`` (``AddressParser`` on the same directory).
    """
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # modelscope prints there
        ways = _ways(job["checkpoint"])
        for way, run in ways.items():
            run(job["addresses"][way][:2])
        for repetition in range(job["repetitions"]):
            for way, run in ways.items():
                texts = job["addresses"][way]
                began = time.perf_counter()
                run(texts)
                seconds = time.perf_counter() - began
                answer = {
                    "repetition": repetition,
                    "way": way,
                    "addresses": len(texts),
                    "seconds": seconds,
                }
                print(json.dumps(answer), file=answers, flush=True)


def _ways(checkpoint: str) -> dict[str, Callable[[list[str]], Any]]:
    from modelscope.pipelines.nlp import TokenClassificationPipeline

    from consumer.address_parser import AddressParser

    logging.getLogger("modelscope").setLevel(logging.ERROR)
    default: Any = TokenClassificationPipeline(model=checkpoint, device="cpu")
    tuned: Any = TokenClassificationPipeline(model=checkpoint, device="cpu", sequence_length=128)
    ours = AddressParser.from_directory(checkpoint)
    return {
        "default": default,
        "tuned": lambda texts: tuned(texts, batch_size=32),
        "ours": ours.parse,
    }


if __name__ == "__main__":
    main(sys.argv[1])
