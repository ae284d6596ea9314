"""What `rollout` offers to others, and that naming it loads nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import rollout
from tests.brokers.program import ROOT


def test_every_public_name_is_there() -> None:
    for name in rollout.__all__:
        assert callable(getattr(rollout, name))
    assert dir(rollout) == sorted(rollout.__all__)


def test_importing_the_package_loads_neither_kafka_nor_templates() -> None:
    script = "import sys, rollout; print([m for m in ('aiokafka', 'jinja2') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
