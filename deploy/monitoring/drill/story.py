"""The drill: every panel idle, under load and after faults; alerts fired by their real causes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from contracts.errors import FatalError
from contracts.settings import KafkaSettings
from deploy.demo.processes import Service, Services, environment_of, until_ready
from deploy.demo.roles import People
from deploy.demo.story import FIRST, SECOND, policy_file
from deploy.demo.traffic import Traffic
from deploy.local.ports import free_port
from deploy.monitoring.drill.picture import Chart, Line
from deploy.monitoring.drill.shortened import shorter_expression
from deploy.monitoring.drill.watchers import Watchers
from deploy.monitoring.panels import DASHBOARDS
from deploy.monitoring.settings import ObjectiveSettings

TIMES: Final = 20
"""By what every duration in rules and panels is divided."""

OBJECTIVES: Final = ObjectiveSettings(alert_lag_records=40)
"""A lag that a small machine reaches within a minute."""

_WINDOW_S: Final = 20
_PARTITIONS: Final = 4

Tell = Callable[[str], None]


@dataclass(slots=True)
class Seen:
    """What one expression of a panel gave.

    Attributes:
        panel: dashboard and title.
        expr: the expression.
        needs: what the panel needs to show anything.
        by_stage: stage to the sorted values of its series.
    """

    panel: str
    expr: str
    needs: str | None
    by_stage: dict[str, list[float]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether it never gave anything."""
        return not any(self.by_stage.values())

    @property
    def changes(self) -> bool:
        """Whether stages differ."""
        return len({tuple(values) for values in self.by_stage.values()}) > 1


@dataclass(slots=True)
class Fired:
    """One alert of the drill."""

    name: str
    cause: str
    fired_after_s: float
    cleared_after_s: float


class Drill:
    """One run of it.

    Args:
        kafka: a broker of its own with nothing on it.
        folder: for stores, logs and the watchers' files.
        tell: prints one line.
    """

    def __init__(self, kafka: KafkaSettings, folder: Path, tell: Tell) -> None:
        self._kafka = kafka
        self._folder = folder
        self._tell = tell
        environment = environment_of(kafka.kafka_bootstrap_servers, folder / "models", FIRST)
        self._services = Services(environment, folder)
        self._people = People(environment, tell, {f"{folder}/": ""})
        self._ports = {name: free_port() for name in ("worker", "shadow", "controller", "gateway")}
        self.seen = [
            Seen(f"{board.uid}: {panel.title}", query.expr, panel.needs)
            for board in DASHBOARDS
            for row in board.rows
            for panel in row.panels
            for query in panel.queries
        ]
        self.fired: list[Fired] = []
        self.charts: list[Chart] = []
        self.marks: list[tuple[float, str]] = []

    async def play(self, watchers: Callable[[dict[str, str]], Watchers]) -> Watchers:
        """All of it; the watchers, still with what they were told.

        Raises:
            FatalError: ``demo_timeout``: something did not happen in time.
        """
        targets = {f"mgeo-{name}": f"127.0.0.1:{port}" for name, port in self._ports.items()}
        with self._services:
            await self._open()
            with watchers(targets) as watching:
                self._watching = watching
                await asyncio.sleep(_WINDOW_S + 5)
                await self._look("idle")
                await self._load()
                await self._faults()
                await self._remember()
                errors = watching.rule_errors()
                if errors:
                    raise FatalError(f"rules with errors: {errors}", code="fatal")
            await asyncio.to_thread(self._services.stop)
        return watching

    # --- the stages ---------------------------------------------------------------------------

    async def _open(self) -> None:
        from deploy.topics import TopicAdmin

        async with TopicAdmin(self._kafka) as admin:
            await admin.create(partitions=_PARTITIONS, replication=1)
        self._controller = self._start_controller()
        self._worker = self._start_worker()
        self._services.start(
            "shadow", "worker", "--role", "shadow", "--port", str(self._ports["shadow"])
        )
        self._services.start("gateway", "gateway", "--port", str(self._ports["gateway"]))
        await until_ready(self._services, self._ports["worker"], what="worker", timeout_s=240)
        await until_ready(self._services, self._ports["gateway"], what="gateway", timeout_s=240)
        self._tell("a worker, a shadow worker, a controller and a gateway run")

    async def _load(self) -> None:
        """Some traffic, some callers, and a rollout that gathers evidence."""
        traffic = Traffic(self._kafka, records_per_s=10, addresses_per_record=4)
        self.marks.append((self._watching.now_s, "load, and a rollout"))
        async with traffic, self._callers():
            await self._people.mgeo(
                "model team", "rollout", "start", "--candidate", SECOND,
                "--policy", str(policy_file()), "--set", "approval.required=false",
            )  # fmt: skip
            await self._until(
                lambda: bool(self._watching.query('mgeo:rollout_phase{phase="SHADOWING"} == 1')),
                "the rollout is shadowed",
                within_s=240,
            )
            await asyncio.sleep(_WINDOW_S + 10)
            await self._look("load")
        await self._people.mgeo("operator", "rollout", "abort", "--reason", "the drill is over")

    async def _faults(self) -> None:
        await self._fire("MgeoDeadLetters", "records that are no JSON", self._publish_rubbish)

        async def stop_worker() -> None:
            await asyncio.to_thread(self._worker.stop)

        async def start_worker() -> None:
            self._worker = self._start_worker()

        await self._fire("MgeoNoReadyWorker", "the worker was stopped", stop_worker, start_worker)

        async def stop_controller() -> None:
            await asyncio.to_thread(self._controller.stop)

        async def start_controller() -> None:
            self._controller = self._start_controller()

        await self._fire(
            "MgeoNoLeader", "the controller was stopped", stop_controller, start_controller
        )

        traffic = Traffic(self._kafka, records_per_s=8, addresses_per_record=150)
        traffic.repeats = 0.0

        async def overload() -> None:
            await traffic.__aenter__()

        await self._fire("MgeoLagGrowing", "more comes in than is parsed", overload, traffic.stop)

    # --- their parts --------------------------------------------------------------------------

    def _start_worker(self) -> Service:
        return self._services.start("worker", "worker", "--port", str(self._ports["worker"]))

    def _start_controller(self) -> Service:
        return self._services.start(
            "controller", "rollout", "controller", "--port", str(self._ports["controller"])
        )

    async def _look(self, stage: str) -> None:
        """Run every panel's expression, and note what it gave."""
        for one in self.seen:
            found = await asyncio.to_thread(
                self._watching.query, shorter_expression(one.expr, TIMES)
            )
            values = [float(series["value"][1]) for series in found]
            one.by_stage[stage] = sorted(value for value in values if not math.isnan(value))
        shown = sum(bool(one.by_stage[stage]) for one in self.seen)
        self._tell(f"{stage}: {shown} of {len(self.seen)} expressions show something")

    async def _fire(
        self,
        name: str,
        cause: str,
        begin: Callable[[], Any],
        end: Callable[[], Any] | None = None,
    ) -> None:
        """Bring an alert about, wait until the webhook was told, mend it, wait until it ends."""
        # What fires already is not told again.
        await self._until(lambda: name not in self._watching.firing(), f"{name} is quiet")
        began = self._watching.now_s
        self.marks.append((began, cause))
        await begin()
        await self._until(lambda: self._was_told(name, "firing", began), f"{name} fires")
        fired = self._watching.now_s
        await self._look(name)
        if end is not None:
            await end()
        await self._until(lambda: self._was_told(name, "resolved", began), f"{name} ends")
        cleared = self._watching.now_s
        self.fired.append(Fired(name, cause, fired - began, cleared - fired))
        self._tell(
            f"{name} ({cause}): after {fired - began:.0f} s, over {cleared - fired:.0f} s on"
        )

    async def _remember(self) -> None:
        """What every panel over time has shown, from the beginning to now."""
        seconds = self._watching.now_s
        for panel in (panel for board in DASHBOARDS for row in board.rows for panel in row.panels):
            if panel.shape != "timeseries":
                continue
            lines = []
            for query in panel.queries:
                found = await asyncio.to_thread(
                    self._watching.query_range, shorter_expression(query.expr, TIMES), seconds, 4
                )
                lines += [_line(query.legend, one, time.time() - seconds) for one in found]
            self.charts.append(Chart(panel.title, panel.unit, tuple(lines)))

    def _was_told(self, name: str, status: str, since: float) -> bool:
        return any(
            told.name == name and told.status == status and told.at >= since
            for told in self._watching.told
        )

    async def _until(self, holds: Callable[[], bool], what: str, *, within_s: float = 420) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while not await asyncio.to_thread(holds):
            if loop.time() > deadline:
                raise FatalError(f"not within {within_s:.0f} s: {what}", code="demo_timeout")
            await asyncio.sleep(1)

    async def _publish_rubbish(self) -> None:
        from aiokafka import AIOKafkaProducer

        from contracts.settings import client_options

        async with AIOKafkaProducer(**client_options(self._kafka)) as producer:
            for _ in range(5):
                await producer.send_and_wait(self._kafka.names.events, b"{")
            # And one that is read, with an address that is none: an error result.
            empty = b'{"batch_id": "drill", "addresses": [{"id": "1", "text": ""}]}'
            await producer.send_and_wait(self._kafka.names.events, empty)

    @asynccontextmanager
    async def _callers(self) -> AsyncIterator[None]:
        async def call() -> None:
            while True:
                for body in ({"address": "上海市浦东新区张江高科技园区"}, {"adress": ""}):
                    await asyncio.to_thread(self._post, json.dumps(body).encode())
                await asyncio.sleep(0.5)

        calling = asyncio.create_task(call())
        try:
            yield
        finally:
            calling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await calling

    def _post(self, body: bytes) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._ports['gateway']}/parse",
            data=body,
            headers={"content-type": "application/json"},
        )
        # A refusal is traffic as well.
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(request, timeout=30),  # noqa: S310 - our own gateway
        ):
            pass


def _line(legend: str, series: dict[str, Any], began: float) -> Line:
    label = re.sub(r"\{\{(\w+)\}\}", lambda found: series["metric"].get(found[1], ""), legend)
    points = ((at - began, float(text)) for at, text in series["values"])
    return Line(label, tuple(point for point in points if not math.isnan(point[1])))
