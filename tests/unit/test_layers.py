"""Who may import whom, and what contracts may weigh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HEAVY = (
    "torch",
    "transformers",
    "tokenizers",
    "modelscope",
    "safetensors",
    "numpy",
    "pyarrow",
    "openpyxl",
    "aiokafka",
    "fsspec",
    "typer",
    "rich",
    "jinja2",
    "consumer",
    "producer",
    "rollout",
    "deploy",
)
"""What nothing in contracts may bring in: it is imported by every process, the smallest too."""


def imported_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after this statement."""
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_contracts_imports_nothing_heavy() -> None:
    modules = sorted(
        f"contracts.{path.relative_to(ROOT / 'contracts').with_suffix('').as_posix()}".replace(
            "/", "."
        ).removesuffix(".__init__")
        for path in (ROOT / "contracts").rglob("*.py")
    )
    assert len(modules) > 15

    loaded = imported_by("import " + ", ".join(modules))

    assert loaded & set(HEAVY) == set()
    assert "numpy" in imported_by("import numpy"), "the measure itself works"


def test_the_layers_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
