"""Plays one act from an empty broker to its end, and leaves what was seen in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from contracts.settings import KafkaSettings
from deploy.local import LocalBroker, LocalSettings
from deploy.monitoring.drill.acts.act import Act
from deploy.monitoring.drill.picture import Chart, Line, picture
from deploy.monitoring.drill.seen import QUIET, Played
from deploy.monitoring.drill.shortened import shorter_expression
from deploy.monitoring.drill.stage import Stage, Tell
from deploy.monitoring.panels import DASHBOARDS

_SETTLES_S: Final = 8.0
"""After the watchers have started: so long until a rate has something to show."""

_STEP_S: Final = 4


def play(act: Act, out: Path, tell: Tell) -> Played:
    """Play it; what went wrong stands in what is returned.

    Args:
        act: the act.
        out: made if missing: the picture of its panels, and all logs.
        tell: prints one line.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mgeo-drill-") as scratch:
        folder = Path(scratch)
        with _broker(act, folder) as broker:
            kafka = KafkaSettings() if broker is None else _client(act, broker)
            stage = Stage(act, kafka, broker, folder, tell)
            try:
                asyncio.run(_play(stage))
            except Exception as error:  # noqa: BLE001  (the other acts go on, and it is recorded)
                hint = getattr(error, "hint", "")
                what = f"{type(error).__name__}: {error}"
                stage.played.trouble = what + (f" ({hint})" if hint else "")
                stage.tell(f"failed: {stage.played.trouble}")
            finally:
                stage.end()
                _keep(stage, out)
    stage.played.seconds = round(time.monotonic() - began, 1)
    return stage.played


def _client(act: Act, broker: LocalBroker) -> KafkaSettings:
    """As whom everything of an act talks to its broker: with TLS, by certificate."""
    if not act.secure or broker.security is None:
        return broker.client()
    from deploy.local.security import SUPER_USER

    return broker.security.mutual_client(SUPER_USER, f"127.0.0.1:{broker.mutual_port}")


@contextlib.contextmanager
def _broker(act: Act, folder: Path) -> Iterator[LocalBroker | None]:
    if not act.broker:
        yield None
        return
    broker = LocalBroker(
        LocalSettings(),
        work_dir=folder / "kafka",
        secure=act.secure,
        overrides=act.broker_settings,
    )
    with broker:
        yield broker


async def _play(stage: Stage) -> None:
    act = stage.act
    if act.prepare is not None:
        await act.prepare(stage)
    if act.broker:
        # As the workers' operator: what is to serve first is in their settings.
        await stage.people_of("worker").mgeo(
            "operator", "topics", "create", "--partitions", str(act.partitions)
        )
    for key in act.services:
        stage.start(key)
    # A shadow worker is ready only while a rollout runs.
    await stage.ready(*(key for key in act.services if not key.startswith("shadow")))
    with stage.watching:
        await asyncio.sleep(_SETTLES_S)
        await stage.look(QUIET)
        try:
            await act.play(stage)
            errors = await asyncio.to_thread(stage.watching.rule_errors)
            if errors:
                stage.played.trouble = f"rules with errors: {errors}"
            unseen = set(act.alerts) - {one.name for one in stage.played.alerts}
            if unseen:
                stage.played.trouble = f"not waited for: {', '.join(sorted(unseen))}"
        finally:
            stage.note_others()
            with contextlib.suppress(OSError):
                await _remember(stage)


async def _remember(stage: Stage) -> None:
    """What every panel over time has shown, from the beginning to now."""
    seconds = stage.watching.now_s
    for panel in (panel for board in DASHBOARDS for row in board.rows for panel in row.panels):
        if panel.shape != "timeseries":
            continue
        lines = []
        for query in panel.queries:
            found = await asyncio.to_thread(
                stage.watching.query_range,
                shorter_expression(query.expr, stage.act.times),
                seconds,
                _STEP_S,
            )
            lines += [_line(query.legend, one, time.time() - seconds) for one in found]
        if lines:
            stage.charts.append(Chart(panel.title, panel.unit, tuple(lines)))


def _line(legend: str, series: dict[str, Any], began: float) -> Line:
    label = re.sub(r"\{\{(\w+)\}\}", lambda found: series["metric"].get(found[1], ""), legend)
    points = ((at - began, float(text)) for at, text in series["values"])
    return Line(label, tuple(point for point in points if not math.isnan(point[1])))


def _keep(stage: Stage, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if stage.charts:
        drawn = picture(stage.charts, stage.marks, stage.watching.now_s)
        (out / "panels.svg").write_text(drawn, encoding="utf-8")
    logs = [*stage.folder.glob("*.log"), *stage.folder.glob("kafka/*.log")]
    for log in logs:
        (out / log.name).write_bytes(log.read_bytes())
