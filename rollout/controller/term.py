"""One term of office: from the election to its loss. Reads, asks the pure rules, writes.

The order matters: the producer is opened first, which fences every predecessor, and only then
is read what stands. Every write is taken in by the same memory that a successor would read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import KafkaError

from contracts.access import AccessRefusedError
from contracts.control import RolloutState
from contracts.errors import FatalError, MgeoError, PermanentError, TransientError
from contracts.logs import get_logger
from contracts.phases import Phase
from contracts.requests import decode_request
from contracts.settings import KafkaSettings
from rollout.approvals import Keyring
from rollout.controller.cadence import pause_s
from rollout.controller.decide import decide
from rollout.controller.gathering import GATHERED, Gathering
from rollout.controller.leadership import Leadership, Office
from rollout.controller.memory import AuditMemory, ControlMemory, read_audit, read_control
from rollout.controller.observe import Observer
from rollout.controller.plan import Plan, alerted
from rollout.controller.requests import Asked, judge_request, needs_facts, refuse_unjudged
from rollout.controller.starting import Starting
from rollout.controller.telemetry import Telemetry
from rollout.controller.timing import gathering_ms
from rollout.controller.view import Evidence, Observation
from rollout.controller.writer import OfficeLostError, Writer
from rollout.logs import Log, OpenLog
from rollout.settings import ControllerSettings
from rollout.stages import running

_log = get_logger(__name__)

_MOVES_AT_ONCE = 8
_RETRY_S = 2.0

FirstState = Callable[[], Awaitable[str | None]]
"""Writes the first control record where there is none; a line for the log when it did."""


class ControlFromTheFutureError(TransientError):
    """A later release has written: this one must not write over it."""

    default_code = "control_from_the_future"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a term works with; everything but the writer outlives it."""

    settings: ControllerSettings
    kafka: KafkaSettings
    open_log: OpenLog
    observer: Observer
    starting: Starting
    gathering: Gathering
    keyring: Keyring | None
    telemetry: Telemetry
    first_state: FirstState | None
    make_writer: Callable[[], Writer]


class Term:
    """One term.

    Args:
        tools: what it works with.
        leadership: hands out requests while it lasts.
        office: says when it is over.
    """

    def __init__(self, tools: Tools, leadership: Leadership, office: Office) -> None:
        self._tools = tools
        self._leadership = leadership
        self._office = office
        self._writer = tools.make_writer()
        self._control = ControlMemory()
        self._audit = AuditMemory()
        self._state: RolloutState | None = None
        self._evidence: tuple[str, Evidence] | None = None

    async def serve(self, stop: asyncio.Event) -> None:
        """Lead until the office is lost or ``stop`` is set.

        Raises:
            OfficeLostError: another controller writes, or a write's outcome is unknown.
            ControlFromTheFutureError: a later release leads this system.
        """
        try:
            await self._serve(stop)
        except OfficeLostError:
            # Fenced by the one that was elected meanwhile: that is an end in good order. Leaving
            # the group for it would cost the successor its term.
            await _wait(self._office.lost, self._tools.settings.controller_session_timeout_ms / 2e3)
            if not self._office.lost.is_set():
                raise
            _log.info("term over")

    async def _serve(self, stop: asyncio.Event) -> None:
        names, open_log = self._tools.kafka.names, self._tools.open_log
        await self._writer.open()
        try:
            async with open_log(names.control) as control:
                control.seek(await control.beginnings())
                if not await self._take_over(control, stop):
                    return
                async with open_log(names.audit) as audit:
                    self._audit = await read_audit(audit, self._remembered)
                self._tools.telemetry.leading(True)
                _log.info("leading", revision=self.state.revision, cuts=len(self._audit.judged))
                await self._lead(control, stop)
        finally:
            self._tools.telemetry.leading(False)
            await self._writer.close()

    @property
    def state(self) -> RolloutState:
        """The state that stands."""
        assert self._state is not None  # noqa: S101  (taken over)
        return self._state

    @property
    def _rollout_id(self) -> str:
        return "" if self.state.rollout is None else self.state.rollout.rollout_id

    @property
    def _remembered(self) -> frozenset[str]:
        """The rollouts whose cuts can still be decided from."""
        named = (self.state.rollout, self.state.promoted)
        return frozenset(one.rollout_id for one in named if one is not None)

    def _over(self, stop: asyncio.Event) -> bool:
        return stop.is_set() or self._office.lost.is_set()

    # --- taking over ------------------------------------------------------------------------------

    async def _take_over(self, control: Log, stop: asyncio.Event) -> bool:
        """Read the state that stands; False when the term ended before there was one."""
        first_at = 0.0
        while not self._over(stop):
            await self._read_control(control)
            if self._control.state is not None:
                self._state = self._control.state
                return True
            self._tools.telemetry.waiting("a first control record")
            empty = not self._control.trouble  # what exists is never written over
            if empty and self._tools.first_state is not None and time.monotonic() >= first_at:
                first_at = time.monotonic() + 5 * _RETRY_S
                if await self._write_first():
                    return False  # it was written under our own id: the next term reads it
            await self._leadership.poll()
        return False

    async def _write_first(self) -> bool:
        assert self._tools.first_state is not None  # noqa: S101  (asked before)
        try:
            line = await self._tools.first_state()
        except MgeoError as error:
            _log.warning("no first control record", code=error.code, why=str(error))
            return False
        if line:
            _log.info("first control record", what=line)
        raise OfficeLostError("the first control record was written; it is read anew")

    async def _read_control(self, control: Log) -> None:
        before = self._control.unusable.copy()
        await read_control(control, self._control)
        self._tools.telemetry.unusable(self._control.unusable - before)
        if self._control.trouble == "control_from_the_future":
            raise ControlFromTheFutureError(
                "a later release has written the control record: this controller stands by",
                hint="upgrade this process",
            )

    # --- leading ----------------------------------------------------------------------------------

    async def _lead(self, control: Log, stop: asyncio.Event) -> None:
        start = await self._leadership.read_from(self.state.next_request_offset)
        if start < self.state.next_request_offset:
            plan = alerted(
                self.state,
                _now(),
                "the requests topic was made anew: it is read from its beginning",
                next_request_offset=start,
            )
            await self._write(plan)
        gatherer = asyncio.create_task(self._gather())
        try:
            observation = Observation()
            observe_at = 0.0
            while not self._over(stop):
                messages = await self._leadership.poll(self._poll_ms)
                await self._follow(control)
                for message in messages:
                    if self._over(stop):
                        return
                    await self._judge(message, stop)
                    observe_at = 0.0
                if time.monotonic() >= observe_at:
                    observe_at = time.monotonic() + self._tools.settings.observe_interval_ms / 1e3
                    observation = await self._observe(observation)
                await self._advance(observation)
                if gatherer.done():
                    gatherer.result()
        finally:
            gatherer.cancel()
            await asyncio.wait([gatherer])

    @property
    def _poll_ms(self) -> int:
        return min(200, self._tools.settings.observe_interval_ms)

    async def _follow(self, control: Log) -> None:
        """Look whether anybody else has written to the control topic."""
        await self._read_control(control)
        found = self._control.state
        if found is not None and (
            found.incarnation != self.state.incarnation or found.revision > self.state.revision
        ):
            raise OfficeLostError(
                "the control topic has a record that this controller did not write"
            )
        if self._control.trouble:
            message = f"an unusable control record ({self._control.trouble}) was written over"
            self._control.trouble = ""
            await self._write(alerted(self.state, _now(), message))

    async def _judge(self, message: Any, stop: asyncio.Event) -> None:
        """Judge one request; what was judged before is passed over."""
        if message.offset < self.state.next_request_offset:
            return
        try:
            request = decode_request(message.value)
        except PermanentError:
            request = None
        asked = Asked(message.offset, request)
        try:
            plan = await self._judged(asked, stop)
        except (KafkaError, OSError, MgeoError):
            raise
        except Exception as error:  # noqa: BLE001  (see below)
            # Whatever it is, it would come again for whoever leads next, and stop that one too.
            _log.error("request not judged", offset=message.offset, error=type(error).__name__)
            plan = refuse_unjudged(self.state, asked, _now(), type(error).__name__)
        if plan is None:
            return
        await self._write(plan)
        for record in plan.audit:
            if record.request is not None:
                _log.info(
                    "request judged",
                    kind=record.request.kind,
                    accepted=record.request.accepted,
                    code=record.request.code,
                )

    async def _judged(self, asked: Asked, stop: asyncio.Event) -> Plan | None:
        """What becomes of a request; None when the term ends before that can be known."""
        facts, request = None, asked.request
        while request is not None and needs_facts(self.state, request, _now()):
            try:
                facts = await self._tools.starting.facts(self.state, request, self._audit, _now())
                break
            except (KafkaError, OSError, TransientError) as error:
                # Not judged yet, and none of the later ones before it.
                _log.warning("start request waits", error=type(error).__name__)
                await asyncio.sleep(_RETRY_S)
                if self._over(stop):
                    return None
        return judge_request(
            self.state,
            asked,
            self._audit.history,
            _now(),
            keyring=self._tools.keyring,
            facts=facts,
        )

    async def _observe(self, last: Observation) -> Observation:
        """Look at Kafka; what cannot be seen now is as it was last seen."""
        state = self.state
        if state.rollout is None or not running(state.phase):
            return Observation()
        names, observer = self._tools.kafka.names, self._tools.observer
        try:
            partitions, interactive = await observer.partitions()
            stable, urgent = [
                (await observer.group(names.stable_group, topic)).notes for topic in names.inputs
            ]
            shadow_notes = last.shadow
            if state.phase == Phase.WARMING:
                group = names.shadow_group(state.rollout.rollout_id)
                shadow_notes = (await observer.group(group, names.events)).notes
        except (KafkaError, OSError, AccessRefusedError) as error:
            _log.warning("adoption not seen", error=type(error).__name__)
            return replace(last, evidence=None)
        return Observation(
            partitions,
            stable,
            shadow_notes,
            interactive_partitions=interactive,
            interactive=urgent,
        )

    async def _advance(self, seen: Observation) -> None:
        """Carry out what is to be done now, move by move."""
        for _ in range(_MOVES_AT_ONCE):
            evidence = None
            if self._evidence is not None and self._evidence[0] == self._rollout_id:
                evidence = self._evidence[1]
            observation = replace(seen, evidence=evidence)
            plan = decide(
                self.state,
                self._audit.history,
                observation,
                _now(),
                self._tools.settings.bounds,
            )
            if plan is None:
                break
            await self._write(plan)
        self._tools.telemetry.show(self.state, _now())

    async def _write(self, plan: Plan) -> None:
        if self._office.lost.is_set():
            raise OfficeLostError("the office was lost before a write")
        await self._writer.write(plan)
        self._state = plan.state
        self._audit.take(plan.audit)
        self._tools.telemetry.written(plan)
        for record in plan.audit:
            if record.transition is not None:
                _log.info(
                    "phase entered",
                    rollout=record.rollout_id,
                    phase=record.transition.phase,
                    code=record.transition.code,
                    serving_epoch=record.transition.serving.serving_epoch,
                )

    # --- evidence ---------------------------------------------------------------------------------

    async def _gather(self) -> None:
        """Fold, cut, hand over, wait until it is recorded; for as long as the term lasts."""
        settings, gathering = self._tools.settings, self._tools.gathering
        while True:
            rollout = self.state.rollout
            if rollout is None or self.state.phase not in GATHERED:
                self._evidence = None
                if rollout is None or not running(self.state.phase):
                    await gathering.close()
                await asyncio.sleep(settings.observe_interval_ms / 1e3)
                continue
            try:
                await gathering.catch_up(rollout, self._audit)
                await self._tell_differences()
                await self._cut()
            except (KafkaError, OSError, TransientError, FatalError) as error:
                _log.warning(
                    "evidence not read", error=getattr(error, "code", type(error).__name__)
                )
                await self._let_evidence_go()
                continue
            except Exception as error:  # noqa: BLE001  (see below)
                # Without evidence nothing goes forward, and its time runs out with a reason; to
                # end the process for it would stop requests and the way back as well.
                _log.error("evidence not judged", error=type(error).__name__)
                await self._let_evidence_go()
                continue
            if not gathering.behind:
                await asyncio.sleep(
                    pause_s(
                        gathering_ms(rollout, _now()),
                        shortest_s=settings.cut_interval_ms / 1e3,
                        longest_s=settings.cut_interval_most_ms / 1e3,
                    )
                )

    async def _cut(self) -> None:
        rollout = self.state.rollout
        assert rollout is not None  # noqa: S101  (gathered)
        names = self._tools.kafka.names
        group = names.shadow_group(rollout.rollout_id)
        committed = (await self._tools.observer.group(group, names.events)).offsets
        evidence = await self._tools.gathering.cut(self.state, committed, _now())
        if evidence is None:
            return
        self._evidence = (rollout.rollout_id, evidence)
        number = evidence.entry.cut.number
        while self._audit.last_cut < number:
            if self._rollout_id != rollout.rollout_id or self.state.phase not in GATHERED:
                return
            await asyncio.sleep(0.02)

    async def _let_evidence_go(self) -> None:
        self._tools.telemetry.evidence_failed()
        await self._tools.gathering.close()
        await asyncio.sleep(_RETRY_S)

    async def _tell_differences(self) -> None:
        for number, recorded, now in self._tools.gathering.differing:
            _log.error("a cut came out otherwise", cut=number, recorded=recorded, now=now)
            self._tools.telemetry.differs()
        self._tools.gathering.differing.clear()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait([waiting], timeout=seconds)
    waiting.cancel()


def _now() -> datetime:
    return datetime.now(UTC)
