"""``python -m deploy.monitoring.drill [FOLDER]``: the drill, about a quarter of an hour.

Leaves in the folder: ``drill.json``, every expression by stage and every alert with its times;
``panels.svg``, what the panels showed; the logs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from deploy.local import LocalBroker, LocalSettings
from deploy.monitoring.drill.picture import picture
from deploy.monitoring.drill.story import OBJECTIVES, TIMES, Drill
from deploy.monitoring.drill.watchers import Watchers


def main(out: Path) -> None:
    """Play it and write what was seen."""
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {line}", flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="mgeo-drill-") as scratch,
        LocalBroker(LocalSettings(), work_dir=Path(scratch) / "kafka") as broker,
    ):
        folder = Path(scratch)
        kafka = broker.client()
        drill = Drill(kafka, folder, tell)

        def watchers(targets: dict[str, str]) -> Watchers:
            return Watchers(folder, targets, times=TIMES, objectives=OBJECTIVES)

        watching = None
        try:
            watching = asyncio.run(drill.play(watchers))
        finally:
            out.mkdir(parents=True, exist_ok=True)
            document = {
                "durations_divided_by": TIMES,
                "expressions": [asdict(one) for one in drill.seen],
                "alerts": [asdict(one) for one in drill.fired],
                "told": [] if watching is None else [asdict(one) for one in watching.told],
            }
            if drill.charts and watching is not None:
                shown = [chart for chart in drill.charts if chart.lines]
                (out / "panels.svg").write_text(picture(shown, drill.marks, watching.now_s))
            (out / "drill.json").write_text(json.dumps(document, indent=1, ensure_ascii=False))
            for log in folder.glob("*.log"):
                (out / log.name).write_bytes(log.read_bytes())
    for one in drill.seen:
        if one.empty or not one.changes:
            state = "empty" if one.empty else "never changes"
            needs = f" (needs {one.needs})" if one.needs else ""
            tell(f"{state}{needs}: {one.panel}: {one.expr}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "mgeo-drill"))
