"""Runs the `mgeo` program as a person would, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What one command printed and left with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Program:
    """`mgeo` with a state folder of its own; downloaded jars are the suite's."""

    def __init__(self, home: Path, cache_dir: Path) -> None:
        self.state_dir = home / "broker"
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "MGEO_CACHE_DIR": str(cache_dir),
            "MGEO_STATE_DIR": str(self.state_dir),
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env={**self.environment, **environment},
            cwd=self.state_dir.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, **environment: str) -> Outcome:
        """Run a command to its end; more environment variables as keywords."""
        return self.end(self.start(*arguments, **environment))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> Outcome:
        """Wait for a command that was started."""
        out, err = process.communicate(timeout=120)
        return Outcome(process.returncode, out, err)
