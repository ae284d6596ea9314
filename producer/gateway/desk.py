"""Takes addresses in, publishes them, and hands each reply to whoever waits for it.

The rules are elsewhere (coalescer, register, admission, versions); this holds the clock, the
futures and the producer. Nothing in here waits without a deadline.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from contracts.errors import MgeoError, TransientError
from contracts.events import AddressResult, Origin, ParsedBatch, ServedModel, Timing, Track
from contracts.headers import ERROR_CODE, TRACK, Header, cloud_event, header
from contracts.limits import Limits
from contracts.logs import get_logger
from contracts.metrics import Metrics
from contracts.replies import ReplyTo
from contracts.tracing import Step, tracer
from producer.encoding import address_json, frame_bytes, record_json
from producer.gateway import admission
from producer.gateway.admission import Bounds, Load, Pace
from producer.gateway.coalescer import Coalescer, Group, Ticket
from producer.gateway.problem import ProblemError
from producer.gateway.settings import GatewaySettings
from producer.gateway.versions import Wanted, moved
from producer.gateway.waiting import Places, Register, Waiting

_log = get_logger(__name__)
_SOURCE = "/mgeo/gateway"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LONGEST_NUMBER: Final = "z" * 13
"""More records than a gateway ever publishes, in the digits of their numbers."""

OUTCOMES: Final = ("answered", "refused", "late", "foreign", "unreadable")
"""What becomes of a reply: a label of ``mgeo_gateway_replies``."""

Send = Callable[[bytes, list[Header]], Awaitable[None]]
"""Publishes one record to the gateway's input topic and returns once Kafka has it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker said, for one request."""

    results: tuple[AddressResult, ...]
    """One for each address, in the request's order."""
    model: ServedModel
    origin: Origin
    timing: Timing


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this gateway is to the workers: its name, and the partition that it reads."""

    name: str
    partition: int


class Desk:
    """All requests of this gateway for which somebody waits.

    Args:
        identity: where replies are to go.
        topic: where ``send`` publishes to; for traces.
        settings: windows and bounds.
        limits: bounds on records.
        send: publishes a record.
        metrics: those of the gateway.
    """

    def __init__(
        self,
        identity: Identity,
        topic: str,
        settings: GatewaySettings,
        limits: Limits,
        send: Send,
        metrics: Metrics,
    ) -> None:
        self._identity = identity
        self._topic = topic
        self._settings = settings
        self._limits = limits
        self._send = send
        self._metrics = metrics
        self._bounds = Bounds(
            settings.max_pending_addresses,
            settings.max_wait_ms / 1000,
            settings.max_backlog_records,
            few_addresses=settings.window_addresses,
        )
        room = limits.max_record_bytes - frame_bytes(
            f"{identity.name}-{_LONGEST_NUMBER}", settings.source
        )
        self._coalescer = Coalescer(
            window_s=settings.window_ms / 1000,
            max_addresses=min(settings.window_addresses, limits.max_addresses),
            max_bytes=min(settings.window_bytes, room),
            size_of=self._element_bytes,
        )
        self._register = Register()
        self._pace = Pace()
        self._tickets = itertools.count(1)
        self._records = itertools.count(1)
        self._futures: dict[Ticket, asyncio.Future[Answer]] = {}
        self._deadlines: dict[Ticket, float] = {}
        self._traces: dict[Ticket, bytes] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self.backlog_records = 0
        """Kept by whoever watches the workers."""

    def move(self, identity: Identity) -> None:
        """Replies are to go elsewhere from now on."""
        self._identity = identity

    @property
    def pending_addresses(self) -> int:
        """Addresses that were taken in and are not answered."""
        return self._register.addresses + self._coalescer.addresses

    async def parse(
        self,
        text: str,
        wanted: Wanted,
        deadline: float,
        *,
        gone: asyncio.Future[Any] | None = None,
        traceparent: bytes | None = None,
    ) -> Answer:
        """Have one address parsed, in a record that it may share with others.

        Args:
            text: has passed ``text_fault``.
            wanted: which model must answer.
            deadline: on the clock of ``time.monotonic``.
            gone: done as soon as the caller has left.
            traceparent: W3C trace context; a shared record goes on in its first caller's trace
                and links to the others'.

        Raises:
            ProblemError: ``overloaded``, ``deadline_exceeded``, ``version_moved``, or why
                nothing could be published.
            asyncio.CancelledError: the caller has left.
        """
        now = time.monotonic()
        self._admit(1, deadline, now)
        ticket, future = self._ticket(deadline, traceparent)
        if not self.pending_addresses:
            self._pace.busy(now)
        groups = self._coalescer.add(wanted.track, ticket, text, now)
        for group in groups:
            self._publish_group(group, now)
        self._set_timer(now)
        return await self._answer(ticket, future, wanted, deadline, gone)

    async def parse_batch(
        self,
        addresses: Sequence[tuple[str, str]],
        wanted: Wanted,
        deadline: float,
        *,
        gone: asyncio.Future[Any] | None = None,
        traceparent: bytes | None = None,
    ) -> Answer:
        """Have some addresses parsed together, in a record of their own: one model answers all.

        Args:
            addresses: (id, text), at least one; ids stand in the durable result, too.
            wanted: as of ``parse``, like the rest and what is raised.
            deadline: as of ``parse``.
            gone: as of ``parse``.
            traceparent: as of ``parse``.
        """
        now = time.monotonic()
        self._admit(len(addresses), deadline, now)
        elements = [address_json(name, text, self._limits) for name, text in addresses]
        ticket, future = self._ticket(deadline, traceparent)
        if not self.pending_addresses:
            self._pace.busy(now)
        try:
            self._publish(elements, {ticket: tuple(range(len(elements)))}, wanted.track, now)
        except ProblemError:
            self._forget(ticket)
            raise
        return await self._answer(ticket, future, wanted, deadline, gone)

    def reply(self, headers: Sequence[Header], value: bytes | None) -> str:
        """A record of the replies' partition; returns which of ``OUTCOMES`` became of it."""
        to = ReplyTo.of(headers)
        if to is None or to.gateway != self._identity.name:
            return "foreign"
        now = time.monotonic()
        waiting = self._register.answered(to.request)
        if waiting is None:
            return "late"
        self._pace.answered(waiting.addresses, now)
        code = header(headers, ERROR_CODE)
        if code is not None:
            self._fail(waiting.places, _refused(code))
            return "refused"
        try:
            batch = ParsedBatch.model_validate_json(value or b"")
        except ValueError:  # pydantic's message would repeat the input
            batch = None
        if batch is None or len(batch.results) != waiting.addresses:
            self._fail(
                waiting.places,
                ProblemError("the reply does not fit what was asked", code="bad_reply"),
            )
            return "unreadable"
        for ticket, places in waiting.places.items():
            future = self._futures.get(ticket)
            if future is not None and not future.done():
                future.set_result(
                    Answer(
                        tuple(batch.results[place] for place in places),
                        batch.model,
                        batch.origin,
                        batch.timing,
                    )
                )
        return "answered"

    async def close(self) -> None:
        """Give up what is not published yet; whoever waits still is told."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending, timeout=1)
        stopping = ProblemError("the gateway is leaving", code="stopping")
        self._fail(dict.fromkeys(self._futures, ()), stopping)

    def _admit(self, addresses: int, deadline: float, now: float) -> None:
        self._register.expire(now)
        oldest = self._register.oldest_since
        load = Load(
            self.pending_addresses,
            0.0 if oldest is None else now - oldest,
            self._pace.per_s(now),
            self.backlog_records,
        )
        refused = admission.refusal(load, self._bounds, addresses, deadline - now)
        if refused is not None:
            raise ProblemError(
                refused.reason,
                code="overloaded",
                hint="ask again after Retry-After seconds",
                retry_after_s=refused.retry_after_s,
            )

    def _ticket(
        self, deadline: float, traceparent: bytes | None
    ) -> tuple[Ticket, asyncio.Future[Answer]]:
        ticket = next(self._tickets)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self._deadlines[ticket] = deadline
        if traceparent is not None:
            self._traces[ticket] = traceparent
        return ticket, future

    def _forget(self, ticket: Ticket) -> None:
        self._coalescer.withdraw(ticket)
        del self._futures[ticket], self._deadlines[ticket]
        self._traces.pop(ticket, None)

    async def _answer(
        self,
        ticket: Ticket,
        future: asyncio.Future[Answer],
        wanted: Wanted,
        deadline: float,
        gone: asyncio.Future[Any] | None,
    ) -> Answer:
        def leave(_: asyncio.Future[Any]) -> None:
            future.cancel()

        if gone is not None:
            gone.add_done_callback(leave)
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                answer = await future
        except TimeoutError:
            raise ProblemError(
                "no answer came by the deadline; the address may still be parsed",
                code="deadline_exceeded",
            ) from None
        finally:
            if gone is not None:
                gone.remove_done_callback(leave)
            self._forget(ticket)
        if not wanted.accepts(answer.model):
            raise moved(answer.model)
        return answer

    def _set_timer(self, now: float) -> None:
        due = self._coalescer.next_due
        if due is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(due - now, 0), self._due)

    def _due(self) -> None:
        self._timer = None
        now = time.monotonic()
        for group in self._coalescer.due(now):
            self._publish_group(group, now)
        self._set_timer(now)

    def _element_bytes(self, text: str) -> int:
        """The most that a text takes in a record of single requests, whatever its place there."""
        longest_id = len(str(self._settings.window_addresses))
        return len(address_json("1", text, self._limits)) - 1 + longest_id + len(",")

    def _publish_group(self, group: Group, now: float) -> None:
        """Never raises: it is called for others, too, and by the timer."""
        places = {ticket: (place,) for ticket, place in group.places.items()}
        try:
            elements = [
                address_json(str(place), text, self._limits)
                for place, text in enumerate(group.texts, start=1)
            ]
            self._publish(elements, places, group.track, now)
        except ProblemError as error:
            self._fail(places, error)
        except MgeoError as error:
            self._fail(places, _not_published(error))

    def _publish(
        self,
        elements: Sequence[bytes],
        places: Places,
        track: Track | None,
        now: float,
    ) -> None:
        request = _base36(next(self._records))
        batch_id = f"{self._identity.name}-{request}"
        value = record_json(batch_id, self._settings.source, elements)
        if len(value) > self._limits.max_record_bytes:
            raise ProblemError(
                f"the addresses take {len(value)} bytes, the limit is "
                f"{self._limits.max_record_bytes}",
                code="record_too_large",
                hint="send fewer addresses in one request",
            )
        deadline = max(self._deadlines[ticket] for ticket in places)
        by_ms = int((time.time() + deadline - now) * 1000)
        to = ReplyTo(self._identity.partition, self._identity.name, request, by_ms)
        traces = [self._traces[ticket] for ticket in places if ticket in self._traces]
        step = tracer().begin(
            f"{self._topic} send",
            "producer",
            parent=traces[0] if traces else None,
            links=traces[1:],
            attributes={
                "messaging.system": "kafka",
                "messaging.destination.name": self._topic,
                "messaging.operation.type": "send",
                "messaging.batch.message_count": len(elements),
            },
        )
        headers = cloud_event(
            event_id=batch_id,
            source=_SOURCE,
            kind="interactive",
            at=datetime.now(UTC),
            traceparent=step.traceparent,
        )
        if track is not None:
            headers.append((TRACK, track.encode()))
        headers += to.headers()
        self._register.enter(Waiting(request, places, len(elements), now), deadline)
        self._metrics.histogram("mgeo_gateway_record_addresses").observe(len(elements))
        task = asyncio.create_task(self._sent(request, value, headers, step))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _sent(self, request: str, value: bytes, headers: list[Header], step: Step) -> None:
        try:
            await self._send(value, headers)
            step.end()
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to be told
            step.end(error=error)
            waiting = self._register.answered(request)
            if waiting is not None:
                self._fail(waiting.places, _not_published(error))

    def _fail(self, places: Places, error: ProblemError) -> None:
        for ticket in places:
            future = self._futures.get(ticket)
            if future is not None and not future.done():
                future.set_exception(error)


def _refused(code: bytes) -> ProblemError:
    text = code.decode("ascii", "replace")
    return ProblemError("the worker could not process the record", code=text)


def _not_published(error: Exception) -> ProblemError:
    if isinstance(error, MgeoError):
        code = "backend_unreachable" if isinstance(error, TransientError) else error.code
        _log.warning("not published", code=error.code)
        return ProblemError("the address could not be published", code=code, retry_after_s=1)
    _log.error("not published", error=type(error).__name__)
    return ProblemError("the address could not be published", code="internal_error")


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
