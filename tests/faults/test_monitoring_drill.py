"""Each alert comes by its real cause and goes when it is mended; every panel shows and moves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.monitoring.drill.acts import ABSENT, ACTS
from deploy.monitoring.drill.seen import unmoved
from tests.brokers.program import ROOT

pytestmark = [
    pytest.mark.fault,
    pytest.mark.broker,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="prometheus is not here (Debian: apt-get install prometheus-alertmanager)",
    ),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every act adds what it has seen."""
    return tmp_path_factory.mktemp("drill")


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_its_alerts_come_by_their_cause_and_go(act, seen: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.monitoring.drill", str(seen), "--act", act.name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=840,
        check=False,
    )
    print(done.stdout)
    assert f"{act.name} " in done.stdout
    document = json.loads((seen / "drill.json").read_text("utf-8"))
    played = document["acts"][act.name]
    assert played["whole"], played["trouble"] + done.stderr
    assert {one["name"] for one in played["alerts"]} == set(act.alerts)


def test_every_panel_has_shown_something_and_moved(seen: Path) -> None:
    file = seen / "drill.json"
    document = json.loads(file.read_text("utf-8")) if file.is_file() else {"acts": {}}
    missing = {act.name for act in ACTS} - set(document["acts"])
    if missing:
        pytest.skip(f"not played in this run: {', '.join(sorted(missing))}")
    assert unmoved(document, ABSENT) == []
