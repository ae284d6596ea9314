"""The controller as a service: in the group for as long as it runs, leading when it is elected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from contracts.access import refusal, why_refused
from contracts.certificates import watch_certificates
from contracts.errors import MgeoError
from contracts.logs import get_logger
from contracts.settings import KafkaSettings, client_options
from rollout.approvals import Keyring
from rollout.controller.gathering import Gathering, OpenEvidence
from rollout.controller.leadership import Leadership
from rollout.controller.observe import Observer
from rollout.controller.starting import Guardrails, Starting, StartingPositions
from rollout.controller.telemetry import Probe, Telemetry
from rollout.controller.term import ControlFromTheFutureError, FirstState, Term, Tools
from rollout.controller.writer import Writer
from rollout.logs import OpenLog
from rollout.settings import ControllerSettings

_log = get_logger(__name__)

_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the controller is handed from outside its package.

    Attributes:
        open_log: opens a topic's log, read_committed.
        open_evidence: opens the evidence of a rollout.
        positions: where the evidence of a rollout that begins now begins.
        guardrails: the loosest policy that it takes; None for any.
        keyring: the keys whose approvals count; None when none are configured.
        first_state: writes the first control record; None leaves that to others.
        make_writer: makes the writer of a term; None for the usual one.
    """

    open_log: OpenLog
    open_evidence: OpenEvidence
    positions: StartingPositions
    guardrails: Guardrails | None = None
    keyring: Keyring | None = None
    first_state: FirstState | None = None
    make_writer: Callable[[], Writer] | None = None


class Controller:
    """One controller process; of several, one leads.

    Args:
        settings: how it watches.
        kafka: how Kafka is reached.
        parts: what it is handed.
        registry: where its metrics are registered.
        probe: what its health port answers from.
    """

    def __init__(
        self,
        settings: ControllerSettings,
        kafka: KafkaSettings,
        parts: Parts,
        *,
        registry: CollectorRegistry,
        probe: Probe,
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._parts = parts
        self._telemetry = Telemetry(registry, probe)
        self._options = client_options(kafka)
        self._gathering = Gathering(parts.open_evidence)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, then leave the group so that another takes over at once.

        Raises:
            AccessRefusedError: Kafka is there and will not have us, or not let us do our work.
        """
        certificates = watch_certificates(self._kafka, self._telemetry.certificate)
        beside = [asyncio.create_task(self._beat()), asyncio.create_task(certificates)]
        try:
            pause_s = _PAUSE_S
            while not stop.is_set():
                self._telemetry.waiting("the broker")
                try:
                    await self._stay(stop)
                    pause_s = _PAUSE_S
                except ControlFromTheFutureError as error:
                    _log.error("standing by", code=error.code, why=str(error))
                    self._telemetry.waiting("an upgrade: a later release leads this system")
                    pause_s = _LONGEST_PAUSE_S
                except (KafkaError, OSError, MgeoError) as error:
                    refused = refusal(error, self._kafka)
                    if refused is None and not isinstance(error, MgeoError):
                        refused = await why_refused(self._kafka)
                    if refused is not None:
                        raise refused from error
                    _log.warning(
                        "standing by",
                        error=getattr(error, "code", type(error).__name__),
                        why=str(error) if isinstance(error, MgeoError) else "",
                    )
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                await _sleep_or(stop, pause_s)
        finally:
            for task in beside:
                task.cancel()
            await self._gathering.close()

    async def _stay(self, stop: asyncio.Event) -> None:
        """One membership: as standby, and through the terms that fall to it."""
        observer = Observer(self._options, self._kafka.names)
        await observer.open()
        try:
            missing = await observer.missing(self._topics)
            if missing:
                self._telemetry.waiting(f"the topics {', '.join(missing)}")
                return
            async with Leadership(
                self._kafka.names.requests,
                self._kafka.names.controller_group,
                self._options,
                self._settings.controller_session_timeout_ms,
            ) as leadership:
                tools = self._tools(observer)
                while not stop.is_set():
                    await leadership.poll()
                    if leadership.settled:
                        self._telemetry.joined()
                    if leadership.office is not None:
                        await Term(tools, leadership, leadership.office).serve(stop)
        finally:
            await observer.close()

    @property
    def _topics(self) -> tuple[str, ...]:
        names = self._kafka.names
        return (
            names.events,
            names.parsed,
            names.shadow,
            names.control,
            names.requests,
            names.audit,
        )

    def _tools(self, observer: Observer) -> Tools:
        parts, settings = self._parts, self._settings
        names = self._kafka.names
        return Tools(
            settings=settings,
            kafka=self._kafka,
            open_log=parts.open_log,
            observer=observer,
            starting=Starting(
                parts.open_log,
                names,
                observer,
                guardrails=parts.guardrails,
                positions=parts.positions,
                step_times=settings.hold_times,
            ),
            gathering=self._gathering,
            keyring=parts.keyring,
            telemetry=self._telemetry,
            first_state=parts.first_state,
            make_writer=parts.make_writer
            or (lambda: Writer(names, self._options, settings.controller_transaction_timeout_ms)),
        )

    async def _beat(self) -> None:
        while True:
            self._telemetry.beat()
            await asyncio.sleep(0.1)


async def _sleep_or(stop: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait([waiting], timeout=seconds)
    waiting.cancel()
