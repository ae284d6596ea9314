"""Every panel shows something and changes; alerts fire by their causes and end. Minutes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.brokers.program import ROOT

pytestmark = [
    pytest.mark.fault,
    pytest.mark.broker,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="prometheus is not here (Debian: apt-get install prometheus-alertmanager)",
    ),
]

STEADY = {
    "mgeo-operators: Ready gateways",  # nobody stops it
    "mgeo-operators: Fencings and rebalances",  # nobody is fenced
    "mgeo-operators: Requests in work",  # too short for a scrape
    "mgeo-rollouts: The shadow's records",  # nothing is outside a sample of everything
}
"""What a drill does not always change."""


def test_a_real_prometheus_sees_every_panel_change_and_alerts_come_and_go(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.monitoring.drill", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((tmp_path / "drill.json").read_text())
    assert {alert["name"] for alert in seen["alerts"]} == {
        "MgeoDeadLetters",
        "MgeoLagGrowing",
        "MgeoNoReadyWorker",
        "MgeoNoLeader",
    }
    for one in seen["expressions"]:
        stages = [tuple(values) for values in one["by_stage"].values()]
        if one["needs"] is None:
            assert any(stages), f"{one['panel']} is empty: {one['expr']}"
            assert len(set(stages)) > 1 or one["panel"] in STEADY, one["expr"]
