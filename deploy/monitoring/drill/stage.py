"""The system of one act while it is played: its processes, its watchers, and waiting for both."""

from __future__ import annotations

import asyncio
import functools
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from contracts.errors import FatalError
from contracts.settings import KafkaSettings
from deploy.demo.processes import Service, environment_of, is_ready
from deploy.demo.roles import People
from deploy.demo.story import FIRST
from deploy.local import LocalBroker
from deploy.local.ports import free_port
from deploy.local.security import environment as kafka_environment
from deploy.monitoring.drill.acts.act import Act
from deploy.monitoring.drill.picture import Chart
from deploy.monitoring.drill.seen import Outcome, Played, Seen
from deploy.monitoring.drill.shortened import shorter_expression
from deploy.monitoring.drill.watchers import Watchers
from deploy.monitoring.jobs import JOBS
from deploy.monitoring.panels import DASHBOARDS
from deploy.monitoring.settings import ObjectiveSettings

WITHIN_S: Final = 200.0
"""So long anything may take that an act waits for."""

Tell = Callable[[str], None]

_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "worker": ("worker",),
    "shadow": ("worker", "--role", "shadow"),
    "controller": ("rollout", "controller"),
    "gateway": ("gateway",),
}
_USUAL: Final[Mapping[str, Mapping[str, str]]] = {
    # The latency gates count device batches: small ones come faster.
    "shadow": {"MGEO_TOKEN_BUDGET": "128"},
    # A canary step is given up after so many times its duration: those are short here.
    "controller": {"MGEO_HOLD_TIMES": "600"},
}


def objectives(times: int) -> ObjectiveSettings:
    """The product's, with a lag that a small machine reaches and the one duration divided."""
    usual = {name: one.default for name, one in ObjectiveSettings.model_fields.items()}
    return ObjectiveSettings(
        **{**usual, "alert_lag_records": 40, "alert_cut_age_s": usual["alert_cut_age_s"] // times}
    )


class Stage:
    """What an act works with.

    Args:
        act: that is played.
        kafka: how its broker is reached.
        broker: its broker; None where there is none.
        folder: for stores, logs and the watchers' files.
        tell: prints one line.
    """

    def __init__(
        self, act: Act, kafka: KafkaSettings, broker: LocalBroker | None, folder: Path, tell: Tell
    ) -> None:
        self.act = act
        self.kafka = kafka
        self.folder = folder
        self.store = folder / "models"
        self.environment = {
            **environment_of(kafka.kafka_bootstrap_servers, self.store, FIRST),
            **kafka_environment(kafka),
        }
        self.people = People(self.environment, tell, {f"{folder}/": ""})
        self.watching = Watchers(folder, times=act.times, objectives=objectives(act.times))
        self.played = Played(act.name, act.times)
        self.marks: list[tuple[float, str]] = []
        self.charts: list[Chart] = []
        self._broker = broker
        self._tell = tell
        self._ports: dict[str, int] = {}
        self._services: dict[str, Service] = {}
        self._all: list[Service] = []
        self._at = 0.0
        self._cause = self._mended = ""
        self.played.seen = [
            Seen(f"{board.uid}: {panel.title}", query.expr)
            for board in DASHBOARDS
            for row in board.rows
            for panel in row.panels
            for query in panel.queries
        ]

    @property
    def broker(self) -> LocalBroker:
        """The broker."""
        assert self._broker is not None  # noqa: S101  (acts that ask for it have one)
        return self._broker

    # --- processes ------------------------------------------------------------------------------

    def start(self, key: str, *arguments: str, stderr: int | None = None, **more: str) -> Service:
        """Start a service, and have it scraped; environment variables as keywords.

        Args:
            key: a role, or a role with a letter: ``worker``, ``worker-b``.
            arguments: further ones.
            stderr: where its log goes instead of into a file.
            more: environment.
        """
        role = key.partition("-")[0]
        port = self._ports.setdefault(key, free_port())
        environment = {**self._environment_of(key), **more}
        number = sum(one.name.partition(".")[0] == key for one in self._all)
        name = f"{key}.{number + 1}" if number else key
        command = (*_COMMANDS[role], "--port", str(port), *arguments)
        service = Service(name, command, environment, self.folder, stderr=stderr)
        self._all.append(service)
        self._services[key] = service
        self._scrape()
        return service

    def people_of(self, key: str) -> People:
        """People who work where this service runs: its store is theirs."""
        return People(self._environment_of(key), self._tell, {f"{self.folder}/": ""})

    def forget(self, key: str) -> None:
        """Scrape it no longer: it is meant to be gone."""
        del self._services[key]
        self._scrape()

    async def stop(self, key: str) -> None:
        """SIGTERM, as an operator stops it."""
        await asyncio.to_thread(self._services[key].stop)

    async def kill(self, key: str) -> None:
        """SIGKILL, as a machine that is gone."""
        await asyncio.to_thread(self._services[key].kill)

    def freeze(self, key: str) -> None:
        """SIGSTOP: its connections stay open and nothing answers."""
        os.kill(self.pid(key), signal.SIGSTOP)

    def thaw(self, key: str) -> None:
        """SIGCONT."""
        os.kill(self.pid(key), signal.SIGCONT)

    def pid(self, key: str) -> int:
        """Its process id."""
        return self._services[key].pid

    def port(self, key: str) -> int:
        """Its port."""
        return self._ports[key]

    def ended(self, key: str) -> bool:
        """Whether it runs no longer."""
        try:
            self._services[key].check()
        except FatalError:
            return True
        return False

    async def ready(self, *keys: str) -> None:
        """Wait until these say that they are.

        Raises:
            FatalError: ``worker_failed``, ``demo_timeout``.
        """
        for key in keys:
            deadline = time.monotonic() + WITHIN_S
            while not await asyncio.to_thread(is_ready, self._ports[key]):
                self._services[key].check()
                if time.monotonic() > deadline:
                    raise FatalError(f"{key} is not ready", code="demo_timeout")
                await asyncio.sleep(0.2)

    def end(self) -> None:
        """Kill whatever is left."""
        for service in self._all:
            service.kill()

    def _environment_of(self, key: str) -> dict[str, str]:
        role = key.partition("-")[0]
        own = self.act.settings.get(key, {})
        return {
            **self.environment,
            **_USUAL.get(role, {}),
            **{name: value.replace("{folder}", str(self.folder)) for name, value in own.items()},
        }

    def _scrape(self) -> None:
        jobs: dict[str, list[int]] = {job.name: [] for job in JOBS}
        for key in self._services:
            jobs[f"mgeo-{key.partition('-')[0]}"].append(self._ports[key])
        self.watching.scrape(jobs)

    # --- alerts ---------------------------------------------------------------------------------

    def cause(self, what: str) -> None:
        """Something is done to the system now."""
        self._mark(what)
        self._cause = what

    def mend(self, what: str) -> None:
        """It is undone now."""
        self._mark(what)
        self._mended = what

    async def told(self, *names: str) -> None:
        """Wait until the webhook was told that these fire, of the last cause.

        Raises:
            FatalError: ``demo_timeout``.
        """
        for name in names:
            outcome = Outcome(name, self._cause)
            self.played.alerts.append(outcome)
            began = self._at
            at, said = await self._news(name, "firing", began)
            outcome.fired_after_s, outcome.said = at - began, said
            self.tell(f"{name} fires after {at - began:.0f} s: {said}")
        await self.look(" ".join(names))

    async def over(self, *names: str) -> None:
        """Wait until the webhook was told that these are over, since the last mending.

        Raises:
            FatalError: ``demo_timeout``.
        """
        for name in names:
            outcome = next(one for one in self.played.alerts if one.name == name)
            outcome.mended = self._mended
            began = self._at
            at, _ = await self._news(name, "resolved", began)
            await self.until(functools.partial(self._quiet, name), f"{name} ends")
            outcome.cleared_after_s = at - began
            self.tell(f"{name} is over after {at - began:.0f} s")
        await self.look(f"after {' '.join(names)}")

    def _quiet(self, name: str) -> bool:
        return name not in self.watching.firing()

    def gone_silent(self, name: str, after_s: float) -> None:
        """Note that an alert whose end nobody is told of came no more, so long after the mending.

        Only for what fires always: its silence is the message.
        """
        outcome = next(one for one in self.played.alerts if one.name == name)
        outcome.mended, outcome.cleared_after_s = self._mended, after_s
        self.tell(f"{name} came for {after_s:.0f} s more, then no longer")

    async def until(
        self, holds: Callable[[], bool], what: str, *, within_s: float = WITHIN_S
    ) -> None:
        """Wait until something holds; it is asked in a thread.

        Raises:
            FatalError: ``demo_timeout``.
        """
        deadline = time.monotonic() + within_s
        while not await asyncio.to_thread(holds):
            if time.monotonic() > deadline:
                raise FatalError(f"not within {within_s:.0f} s: {what}", code="demo_timeout")
            await asyncio.sleep(0.5)

    async def until_phase(self, *phases: str) -> None:
        """Wait until the rollout is in one of these phases, as the metrics say."""
        one_of = "|".join(phases)
        query = f'mgeo_controller_phase{{phase=~"{one_of}"}} == 1 and on (instance) '
        query += "(mgeo_controller_leader == 1)"
        await self.until(lambda: bool(self.watching.query(query)), f"the phase {one_of}")
        self.tell(f"the rollout is in {one_of}")

    async def look(self, stage: str) -> None:
        """Run every panel's expression, and note what it gave."""
        shown = 0
        for one in self.played.seen:
            expression = shorter_expression(one.expr, self.act.times)
            found = await asyncio.to_thread(self.watching.query, expression)
            values = [float(series["value"][1]) for series in found]
            one.by_stage[stage] = sorted(value for value in values if not math.isnan(value))
            shown += bool(one.by_stage[stage])
        self.tell(f"{stage}: {shown} of {len(self.played.seen)} expressions show something")

    def note_others(self) -> None:
        """What else fired, for the record."""
        about = {one.name for one in self.played.alerts} | {"MgeoAlertingAlive"}
        # Before the first scrape there is nothing, and nothing is an alarm.
        began = self.marks[0][0] if self.marks else math.inf
        told = {
            one.name for one in self.watching.told if one.status == "firing" and one.at >= began
        }
        self.played.beside = sorted(told - about)

    def tell(self, line: str) -> None:
        """Print one line of this act."""
        self._tell(f"{self.act.name:<14} {line}")

    async def _news(self, name: str, status: str, since: float) -> tuple[float, str]:
        def known() -> list[tuple[float, str]]:
            return [
                (one.at, one.summary)
                for one in self.watching.told
                if one.name == name and one.status == status and one.at >= since
            ]

        await self.until(lambda: bool(known()), f"{name} is told as {status}")
        return known()[0]

    def _mark(self, what: str) -> None:
        self._at = self.watching.now_s
        self.marks.append((self._at, what))
        self.tell(what)
