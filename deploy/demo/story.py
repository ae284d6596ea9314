"""The story of `mgeo demo`: a model is promoted, a damaged one is stopped, the first is taken back.

Everything in it is what users have: the real broker, workers, controller and commands, and the
policy of the CI templates. Only durations are shortened; no threshold and no size is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Final

from contracts.control import ServingSet
from contracts.errors import FatalError
from contracts.phases import Phase
from contracts.settings import KafkaSettings
from deploy.demo.processes import Services, environment_of, until_ready
from deploy.demo.progress import tell_progress
from deploy.demo.roles import People, Tell
from deploy.demo.traffic import Traffic
from deploy.ledger import Books, committed_offsets, read_books
from deploy.local.ports import free_port
from deploy.serving_ledger import read_audit
from producer.topic_log import TopicLog

FIRST: Final = "mgeo-starter-v1-20260915"
SECOND: Final = "mgeo-starter-v2-20261015"
DAMAGED: Final = "mgeo-starter-v3-20261115"

PARTITIONS: Final = 4

SHORTENED: Final = (
    "shadow.min_duration=20s",
    "shadow.max_duration=10m",
    "canary.steps[0].duration=5s",
    "canary.steps[1].duration=5s",
    "bake.duration=5s",
)
"""Durations alone: thresholds and sizes are those that production has."""

SHADOW_TOKEN_BUDGET: Final = 128

# Few addresses in a record make many device batches, which the latency gates count; many make
# many results, which canary and bake count.
_CALM: Final = (60.0, 3)
_BUSY: Final = (60.0, 8)
_BUSY_REPEATS: Final = 0.85

MOST_BEHIND: Final = 300
"""Records that may wait for the stable worker; then the traffic does, too: on a machine that is
slower than the traffic, a backlog would only make the end come later."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left when the story is over.

    Attributes:
        kafka: the broker, still running.
        first: the serving set at the beginning.
        books: the whole stream, in and out.
        reports: the pages to read, in the order of the story.
    """

    kafka: KafkaSettings
    first: ServingSet
    books: Books
    reports: tuple[Path, ...]


def policy_file() -> Path:
    """The policy that the CI templates ship."""
    return Path(str(resources.files("deploy") / "ci" / "rollout.yaml"))


class Story:
    """One telling of it.

    Args:
        kafka: a broker of its own with nothing on it.
        folder: for stores, logs and keys; gone afterwards.
        reports: for reports; stays.
        device: of the workers.
        tell: prints one line.
        chapter: prints the heading of a chapter.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        folder: Path,
        reports: Path,
        *,
        device: str,
        tell: Tell,
        chapter: Callable[[str], None],
    ) -> None:
        self._kafka = kafka
        self._folder = folder
        self._reports = reports
        self._tell = tell
        self._chapter = chapter
        self._store = folder / "models"
        environment = environment_of(
            kafka.kafka_bootstrap_servers, self._store, FIRST, device=device
        )
        logs = reports / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._services = Services(environment, logs)
        shorter = {str(policy_file()): "deploy/ci/rollout.yaml", f"{folder}/": ""}
        self._people = People(environment, tell, shorter)
        self._key = folder / "approver.pem"
        self._written: list[Path] = []

    async def play(self) -> Ended:
        """All of it.

        Raises:
            MgeoError: something did not go as told.
        """
        with self._services:
            first = await self._open()
            rate, size = _CALM
            traffic = Traffic(self._kafka, records_per_s=rate, addresses_per_record=size)
            async with traffic, self._watched(traffic):
                promoted = await self._promotion(traffic)
                await self._damage()
                await self._way_back(promoted)
            books = await self._drained(traffic)
            await asyncio.to_thread(self._services.stop)
        return Ended(self._kafka, first, books, tuple(self._written))

    async def _open(self) -> ServingSet:
        from deploy.topics import TopicAdmin

        async with TopicAdmin(self._kafka) as admin:
            await admin.create(partitions=PARTITIONS, replication=1)
        keyring = self._folder / "keyring.yaml"
        entry = await self._people.mgeo(
            "approver", "rollout", "keygen", "approver", "--out", str(self._key)
        )
        keyring.write_text(entry, encoding="utf-8")
        ports = {name: free_port() for name in ("stable", "shadow", "controller")}
        self._services.start(
            "controller", "rollout", "controller", "--port", str(ports["controller"]),
            "--keyring", str(keyring),
            # A canary step is given up after so many times its duration: those are short here.
            MGEO_HOLD_TIMES="600",
        )  # fmt: skip
        self._services.start(
            "stable worker", "worker", "--role", "stable", "--port", str(ports["stable"])
        )
        # The latency gates count device batches: small ones come faster.
        self._services.start(
            "shadow worker", "worker", "--role", "shadow", "--port", str(ports["shadow"]),
            MGEO_TOKEN_BUDGET=str(SHADOW_TOKEN_BUDGET),
        )  # fmt: skip
        self._tell("started: a controller, a stable worker, a shadow worker")
        await until_ready(self._services, ports["stable"], what="stable worker")
        status = await self._people.json("operator", "rollout", "status")
        first = ServingSet.model_validate(status["serving"])
        self._tell(f"{first.stable.name} serves")
        return first

    @asynccontextmanager
    async def _watched(self, traffic: Traffic) -> AsyncIterator[None]:
        """Tell of progress, hold the traffic where it is too fast, end when a part has ended."""
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(tell_progress(self._kafka, self._tell))
                guarding = group.create_task(self._guard(traffic))
                yield
                telling.cancel()
                guarding.cancel()
        except BaseExceptionGroup as several:
            # One thing went wrong first; what else was cancelled for it is no news.
            raise several.exceptions[0] from None

    async def _guard(self, traffic: Traffic) -> None:
        names = self._kafka.names
        async with TopicLog(self._kafka, names.events) as log:
            while True:
                self._services.check()
                traffic.check()
                ends = await log.ends()
                done = await committed_offsets(self._kafka, names.stable_group, names.events)
                behind = sum(end - done.get(partition, 0) for partition, end in ends.items())
                traffic.held = behind > MOST_BEHIND
                await asyncio.sleep(1)

    async def _promotion(self, traffic: Traffic) -> str:
        """Its rollout's id."""
        self._chapter("Release two is shadowed, judged, approved, tried on a part, promoted")
        # What the approver reads before signing.
        rollout_id = await self._passed(SECOND, report="release-two")
        self._faster(traffic)
        await self._approved(rollout_id)
        await self._people.mgeo(
            "model team", "rollout", "wait", rollout_id, "--until", "PROMOTED",
            "--timeout", "12m",
        )  # fmt: skip
        self._tell(f"{SECOND} serves; nothing was restarted")
        return rollout_id

    async def _damage(self) -> None:
        from deploy.demo.candidates import with_tags_exchanged

        self._chapter("A damaged release is stopped before anybody sees it")
        self._tell("somebody exchanged two labels: street numbers are now called building numbers")
        directory = await asyncio.to_thread(
            with_tags_exchanged, _release(SECOND), self._folder / "damaged", "roadno", "houseno"
        )
        await self._add(directory, DAMAGED)
        await self._people.mgeo(
            "model team", *self._start(DAMAGED), "--wait", "--timeout", "12m",
            "--report", str(self._reports / "damaged"), expect=(1,),
        )  # fmt: skip
        self._note_report("damaged")
        self._tell(f"{SECOND} serves as before: the damaged one never touched a result")

    async def _way_back(self, rollout_id: str) -> None:
        self._chapter("Release two is rolled back, though another was tried since")
        printed = await self._people.mgeo(
            "operator", "rollout", "rollback", rollout_id, "--reason", "a customer complains"
        )
        for line in printed.splitlines():
            self._tell(f"    {line}")
        await self._people.mgeo(
            "operator", "rollout", "wait", rollout_id, "--until", "ROLLED_BACK",
            "--timeout", "5m", "--report", str(self._reports / "rolled-back"),
        )  # fmt: skip
        self._note_report("rolled-back")
        moments = {
            record.transition.phase: datetime.fromisoformat(record.at)
            for record in await read_audit(self._kafka)
            if record.transition is not None and record.rollout_id == rollout_id
        }
        took = moments[Phase.ROLLED_BACK] - moments[Phase.ROLLING_BACK]
        self._tell(f"every partition was back after {took.total_seconds():.1f} s")

    async def _add(self, directory: Path, version: str) -> None:
        await self._people.mgeo("model team", "model", "add", str(directory), "--version", version)

    async def _passed(self, version: str, *, report: str = "") -> str:
        """Start a rollout and wait until it has passed; its id."""
        written = ["--report", str(self._reports / report)] if report else []
        document = await self._people.json(
            "model team", *self._start(version), "--until", "PASSED", "--timeout", "12m", *written
        )
        if report:
            self._note_report(report)
        return str(document["rollout_id"])

    @staticmethod
    def _start(version: str) -> list[str]:
        changes = [word for change in SHORTENED for word in ("--set", change)]
        return [
            "rollout",
            "start",
            "--candidate",
            version,
            "--policy",
            str(policy_file()),
            *changes,
        ]

    async def _approved(self, rollout_id: str) -> None:
        await self._people.mgeo(
            "model team", "rollout", "wait", rollout_id, "--until", "AWAITING_APPROVAL",
            "--timeout", "5m",
        )  # fmt: skip
        await self._people.mgeo(
            "approver", "rollout", "approve", rollout_id, "--key", str(self._key), "--yes"
        )

    def _faster(self, traffic: Traffic) -> None:
        traffic.records_per_s, traffic.addresses_per_record = _BUSY
        traffic.repeats = _BUSY_REPEATS
        self._tell("rush hour: the traffic more than doubles, and most addresses come again")

    def _note_report(self, name: str) -> None:
        self._written.append(self._reports / name)

    async def _drained(self, traffic: Traffic) -> Books:
        """The books, once all that was published is committed.

        Raises:
            FatalError: ``demo_timeout``.
        """
        await traffic.stop()
        deadline = time.monotonic() + 120
        while True:
            books = await read_books(self._kafka)
            if books.caught_up:
                return books
            self._services.check()
            if time.monotonic() > deadline:
                raise FatalError("not everything is committed after 120 s", code="demo_timeout")
            await asyncio.sleep(1)


def _release(version: str) -> Path:
    from consumer.store.starters import RELEASES

    return RELEASES / version
