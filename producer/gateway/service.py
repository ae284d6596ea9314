"""One gateway: its connections, its desk, its publisher, and the server in front of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, NoReturn

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from contracts.access import AccessRefusedError
from contracts.certificates import watch_certificates
from contracts.control import UNUSABLE, RolloutState
from contracts.errors import FatalError, MgeoError
from contracts.http import AcceptedRecord, EventsAnswer, FieldFault, RejectedItem
from contracts.limits import Limits
from contracts.logs import get_logger
from contracts.metrics import GATEWAY_METRICS, Metrics
from contracts.settings import KafkaSettings
from producer.gateway.bodies import AskedEvents
from producer.gateway.desk import OUTCOMES, Desk, Identity
from producer.gateway.link import Link, OnReply
from producer.gateway.problem import ProblemError
from producer.gateway.reading import BodyReader
from producer.gateway.settings import GatewaySettings
from producer.publisher import AddressPublisher
from producer.settings import ProducerSettings

_log = get_logger(__name__)
_EVENTS_LINGER_MS = 2
_EVENTS_AGAIN_S = 1.0
_MOST_FAULTS = 20
"""So many faulty addresses are named; a caller who has more mends the program, not the rows."""

_WHY = {
    "backend_unreachable": "Kafka does not answer",
    "no_first_state": "no model serves yet",
    "no_workers": "no worker is ready",
    "stopping": "the gateway is leaving",
}


class Gateway:
    """What the paths of the gateway work with."""

    def __init__(self, settings: GatewaySettings, kafka: KafkaSettings, limits: Limits) -> None:
        self.settings = settings
        self.limits = limits
        registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self.metrics = Metrics(GATEWAY_METRICS, registry)
        # A series that begins with its first event has no increase to show for it.
        for code in UNUSABLE:
            self.metrics.counter("mgeo_control_errors").labels(code=code)
        for outcome in OUTCOMES:
            self.metrics.counter("mgeo_gateway_replies").labels(outcome=outcome)
        self.bodies = BodyReader(settings)
        self._kafka = kafka
        names = kafka.names
        self._topic = names.events if settings.topic == "events" else names.interactive
        self._link = Link(kafka, self._topic, limits, self.metrics)
        self._desk: Desk | None = None
        self._publisher: AddressPublisher | None = None
        self._publisher_failed = asyncio.Event()
        self._publishing = 0
        self._stopping = False

    @property
    def desk(self) -> Desk:
        """Where requests go for which somebody waits.

        Raises:
            ProblemError: 503, when nobody would answer.
        """
        self.serving()
        if not self._link.workers:
            raise self._not_now("no_workers")
        if self._desk is None:
            raise self._not_now("backend_unreachable")
        self._desk.backlog_records = self._link.backlog_records
        return self._desk

    def serving(self) -> RolloutState:
        """The newest control record.

        Raises:
            ProblemError: 503, when the gateway cannot serve.
        """
        code = "stopping" if self._stopping else self._link.down
        if code is not None or self._link.state is None:
            raise self._not_now(code or "no_first_state")
        return self._link.state

    async def publish(
        self, asked: AskedEvents, deadline: float, traceparent: bytes | None
    ) -> EventsAnswer:
        """Publish addresses for which nobody waits; returns once Kafka has them.

        Raises:
            ProblemError: 422, 429, 503 or 504.
        """
        if self._stopping:
            raise self._not_now("stopping")
        publisher = self._publisher
        if publisher is None:
            raise self._not_now("backend_unreachable")
        if self._publishing >= self.settings.max_pending_addresses:
            raise ProblemError(
                "too many requests wait for Kafka", code="overloaded", retry_after_s=1
            )
        good = [
            (place, one.id, one.text)
            for place, one in enumerate(asked.addresses)
            if one.text is not None
        ]
        rejected = [
            RejectedItem(position=place, code=one.fault)
            for place, one in enumerate(asked.addresses)
            if one.fault is not None
        ]
        if not good:
            raise ProblemError(
                "none of the addresses can be published",
                code="bad_body",
                errors=tuple(
                    FieldFault(
                        field=f"addresses[{one.position}]", code=one.code, detail="is no address"
                    )
                    for one in rejected[:_MOST_FAULTS]
                ),
            )
        self._publishing += 1
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                batch = await publisher.publish(
                    [(name, text) for _, name, text in good],
                    source=asked.source,
                    key=asked.key,
                    batch_id=asked.batch_id,
                    traceparent=traceparent,
                )
        except TimeoutError:
            raise ProblemError(
                "Kafka did not confirm by the deadline; the addresses may or may not be in the log",
                code="deadline_exceeded",
            ) from None
        except (FatalError, AccessRefusedError) as error:
            # An idempotent producer may be unusable from here on: the number of what was refused
            # is spent, and Kafka takes nothing that follows a gap. A new one begins anew.
            if publisher is self._publisher and not self._publisher_failed.is_set():
                self._publisher_failed.set()
                _log.warning("publisher replaced", part="events", code=error.code)
            raise
        finally:
            self._publishing -= 1
        rejected += [
            RejectedItem(position=good[one.position][0], code=one.code) for one in batch.rejected
        ]
        return EventsAnswer(
            batch_id=batch.batch_id,
            records=tuple(
                AcceptedRecord(
                    topic=one.topic,
                    partition=one.partition,
                    offset=one.offset,
                    origin=f"{one.topic}/{one.partition}/{one.offset}",
                    addresses=one.addresses,
                )
                for one in batch.records
            ),
            rejected=tuple(sorted(rejected, key=lambda one: one.position)),
        )

    def readiness(self) -> tuple[int, bytes]:
        """HTTP status and body of ``/readyz``."""
        code = "stopping" if self._stopping else self._link.down
        document: dict[str, object] = {"status": "ok" if code is None else "unavailable"}
        if code is not None:
            document |= {"code": code, "reason": _WHY.get(code, code)}
        document["workers"] = self._link.workers
        if self._link.state is not None:
            document["stable"] = self._link.state.serving.stable.name
        return 200 if code is None else 503, json.dumps(document).encode() + b"\n"

    def note_gauges(self) -> None:
        """Bring the gauges up to date; called before they are shown."""
        ready = self._link.down is None and not self._stopping
        self.metrics.gauge("mgeo_gateway_ready").set(1 if ready else 0)
        self.metrics.gauge("mgeo_gateway_workers").set(self._link.workers)
        self.metrics.gauge("mgeo_gateway_backlog_records").set(self._link.backlog_records)
        pending = 0 if self._desk is None else self._desk.pending_addresses
        self.metrics.gauge("mgeo_gateway_pending_addresses").set(pending)

    def _note_certificate(self, which: str, ends_at: float) -> None:
        ends = self.metrics.gauge("mgeo_certificate_expiry_timestamp_seconds")
        ends.labels(certificate=which).set(ends_at)

    def stop_taking(self) -> None:
        """Refuse what comes from now on."""
        self._stopping = True

    async def run(self, stop: asyncio.Event, on_port: Callable[[int], None]) -> None:
        """Serve until ``stop`` is set, then finish what is in hand.

        Args:
            stop: set from outside.
            on_port: told the port once requests are taken.

        Raises:
            UsageError: ``port_in_use``.
            AccessRefusedError: Kafka is there and refuses what the gateway needs.
        """
        from producer.gateway.app import make_app
        from producer.gateway.server import serve

        needed: list[asyncio.Task[Any]] = [
            asyncio.create_task(
                self._link.run(self._opened, self.settings.watch_interval_ms / 1000)
            ),
            asyncio.create_task(self._keep_publisher()),
        ]
        for task in needed:
            task.add_done_callback(lambda _: stop.set())  # neither ends but by an error
        work = [
            *needed,
            asyncio.create_task(watch_certificates(self._kafka, self._note_certificate)),
        ]
        try:
            await serve(make_app(self), self.settings, stop, on_port, self.stop_taking)
            for task in needed:
                _raise_what_ended(task)
        finally:
            if self._desk is not None:
                await self._desk.close()
            for task in work:
                task.cancel()
            await asyncio.wait(work, timeout=10)

    def _opened(self, identity: Identity) -> OnReply:
        if self._desk is None:
            self._desk = Desk(
                identity, self._topic, self.settings, self.limits, self._link.send, self.metrics
            )
        else:
            self._desk.move(identity)
        return self._desk.reply

    async def _keep_publisher(self) -> NoReturn:
        settings = ProducerSettings()
        settings = settings.model_copy(
            update={
                "publish_linger_ms": _EVENTS_LINGER_MS,
                # Nobody waits longer; it bounds how long a broken one takes to be left, too.
                "publish_confirm_timeout_ms": min(
                    settings.publish_confirm_timeout_ms, self.settings.max_timeout_ms
                ),
                "limits": self.limits,
            }
        )
        opened, told = False, False
        while True:
            try:
                async with AddressPublisher(self._kafka, settings) as publisher:
                    opened, told = True, False
                    self._publisher_failed.clear()
                    self._publisher = publisher
                    try:
                        await self._publisher_failed.wait()
                    finally:
                        self._publisher = None
            except AccessRefusedError as error:
                if not opened:
                    raise  # no waiting mends that
                # A right that was there can come back, and the other paths do without this one.
                if not told:
                    _log.warning("not connected", part="events", code=error.code)
                told = True
            except (MgeoError, OSError):
                pass  # the link says that Kafka is away
            await asyncio.sleep(_EVENTS_AGAIN_S)

    @staticmethod
    def _not_now(code: str) -> ProblemError:
        return ProblemError(_WHY.get(code, "the gateway cannot serve"), code=code, retry_after_s=1)


def _raise_what_ended(task: asyncio.Task[Any]) -> None:
    """Raise what a part of the gateway ended with, if it has ended: the first of ours."""
    error = task.exception() if task.done() and not task.cancelled() else None
    while isinstance(error, BaseExceptionGroup):
        ours = [one for one in error.exceptions if isinstance(one, MgeoError)]
        error = ours[0] if ours else error.exceptions[0]
    if error is not None:
        raise error
