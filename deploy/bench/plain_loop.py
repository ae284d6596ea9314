"""Runs the ceiling's program and reads its timings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from consumer.parser.encoder import choose_device
from consumer.settings import ParserSettings
from contracts.errors import FatalError

_CPU_BUDGETS: Final = (256, 512, 1024, 2048, 4096, 8192)
_GPU_BUDGETS: Final = (2048, 4096, 8192, 16_384, 32_768, 65_536)


@dataclass(frozen=True, slots=True)
class Pass:
    """All addresses once through the network.

    Attributes:
        token_budget: padded tokens per batch.
        seconds: tokenization included.
        addresses_per_s: the rate.
    """

    token_budget: int
    seconds: float
    addresses_per_s: float


WAIT_POLICIES: Final = ("", "PASSIVE")
"""What idle threads of the loop do: spin, as they come, or sleep, as a worker's do."""


def token_budgets(device: str) -> tuple[int, ...]:
    """Padded tokens per batch that the loop is tried with on a device."""
    return _CPU_BUDGETS if device == "cpu" else _GPU_BUDGETS


def best_wait_policy(directory: Path, texts: Sequence[str], *, scratch: Path) -> str:
    """The one of ``WAIT_POLICIES`` that the loop is faster with on this machine, now."""

    def rate(policy: str) -> float:
        passes = run_ceiling(directory, texts, scratch=scratch, wait_policy=policy)
        return max(one.addresses_per_s for one in passes)

    return max(WAIT_POLICIES, key=rate)


def run_ceiling(
    directory: Path, texts: Sequence[str], *, scratch: Path, wait_policy: str = ""
) -> list[Pass]:
    """One pass per token budget, in a process of its own, on the device that a worker would take.

    Args:
        directory: a stored model.
        texts: what is parsed.
        scratch: a folder for the job file.
        wait_policy: one of ``WAIT_POLICIES``.

    Raises:
        FatalError: ``bench_ceiling_failed``.
    """
    device = str(choose_device(ParserSettings().device))
    job = scratch / "ceiling.json"
    job.write_text(
        json.dumps(
            {
                "directory": str(directory),
                "addresses": list(texts),
                "token_budgets": token_budgets(device),
                "device": device,
            },
            ensure_ascii=False,
        ),
        encoding="utf-8",
    )
    answers = run_child(
        "deploy.bench.ceiling",
        job,
        code="bench_ceiling_failed",
        environment={"OMP_WAIT_POLICY": wait_policy} if wait_policy else {},
    )
    return [
        Pass(answer["token_budget"], answer["seconds"], len(texts) / answer["seconds"])
        for answer in answers
    ]


def run_child(
    module: str, job: Path, *, code: str, environment: Mapping[str, str] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """Run a program of the bench on a job file; the JSON lines that it prints.

    Raises:
        FatalError: under ``code``, with the end of what it said.
    """
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-m", module, str(job)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(line[:200] for line in done.stderr.splitlines()[-5:])
        raise FatalError(f"{module} left with {done.returncode}", code=code, hint=tail)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
