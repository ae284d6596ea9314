"""Traces: the steps of a record's way, for an OpenTelemetry collector. Never an address in them.

Optional: without the extra ``otel``, or without an exporter in the environment, a step costs
nothing and hands on the trace context that it was given.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from contracts.errors import MgeoError
from contracts.headers import TRACEPARENT

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

Kind = Literal["server", "producer", "consumer", "internal"]
"""OpenTelemetry's span kinds, as far as we have them."""

Value = str | int | float | bool
Failure = str | BaseException

ATTRIBUTES: Final[Mapping[str, str]] = {
    "messaging.system": "always `kafka`",
    "messaging.destination.name": "topic",
    "messaging.destination.partition.id": "partition of the record",
    "messaging.kafka.offset": "offset of the record",
    "messaging.operation.type": "`send` or `process`",
    "messaging.batch.message_count": "addresses of the record",
    "http.request.method": "method of the HTTP request",
    "http.route": "route of the HTTP request, without what varies",
    "http.response.status_code": "status of the answer",
    "mgeo.role": "role of the worker",
    "mgeo.model": "VERSION@precision that parsed it",
    "mgeo.track": "track that served it",
    "mgeo.serving_epoch": "serving epoch of the lane",
    "mgeo.outcome": "what the record became",
    "mgeo.queue_ms": "from the record's arrival at the worker to its first device batch",
    "error.type": "error code",
}
"""Every attribute of a step, and what it says. A closed list: what is not in it raises, so that
nobody can put an address there unseen. The first ones are OpenTelemetry's own names."""

EXPORTERS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Traces are exported when one of these is set; all of OpenTelemetry's other variables hold."""

_FLUSH_S: Final = 3.0


class Step(Protocol):
    """A step that is under way."""

    @property
    def traceparent(self) -> bytes | None:
        """The W3C trace context to hand on; None when there is no trace."""
        ...

    def end(self, *, error: Failure | None = None, at_ns: int | None = None) -> None:
        """The step is over.

        Args:
            error: the error, or error code, that it ended with; never an error's message.
            at_ns: when, nanoseconds since 1970; None: now.
        """
        ...

    def say(self, attributes: Mapping[str, Value]) -> None:
        """Add what is known only now.

        Raises:
            ValueError: an attribute is not in ``ATTRIBUTES``.
        """
        ...


class _Untraced:
    """Hands on what came in."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: bytes | None) -> None:
        self.traceparent = traceparent

    def end(self, *, error: Failure | None = None, at_ns: int | None = None) -> None:
        """Nothing is written down."""

    def say(self, attributes: Mapping[str, Value]) -> None:
        """Nothing is written down."""


class _Traced:
    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Any) -> None:
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._span = span
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
        self.traceparent = carrier[TRACEPARENT].encode() if TRACEPARENT in carrier else None

    def end(self, *, error: Failure | None = None, at_ns: int | None = None) -> None:
        from opentelemetry.trace import Status, StatusCode

        if error is not None:
            self._span.set_attribute("error.type", _error_type(error))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(at_ns)

    def say(self, attributes: Mapping[str, Value]) -> None:
        self._span.set_attributes(_known(attributes))


class Tracer:
    """Writes steps down.

    Args:
        provider: OpenTelemetry's; None: steps are not written down.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("mgeo-stream")

    @property
    def writes(self) -> bool:
        """Whether steps are written down: where they are not, nobody need describe one."""
        return self._tracer is not None

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: bytes | None = None,
        links: Sequence[bytes] = (),
        at_ns: int | None = None,
        attributes: Mapping[str, Value] | None = None,
    ) -> Step:
        """Begin a step.

        Args:
            name: the same for all of its kind: ``address.events process``.
            kind: what it is in the trace.
            parent: the ``traceparent`` that came in; None begins a trace.
            links: the ``traceparent`` of others that this step also serves.
            at_ns: when it began, nanoseconds since 1970; None: now.
            attributes: what is known already, of ``ATTRIBUTES``.

        Raises:
            ValueError: an attribute is not in ``ATTRIBUTES``.
        """
        if self._tracer is None:
            return _Untraced(parent)
        from opentelemetry.trace import Link, SpanKind

        span = self._tracer.start_span(
            name,
            context=_context(parent),
            kind=SpanKind[kind.upper()],
            attributes=_known(attributes or {}),
            links=[Link(_span_context(one)) for one in links],
            start_time=at_ns,
        )
        return _Traced(span)

    def close(self) -> None:
        """Send what is left, for a few seconds at most: a collector that is away holds up
        nobody."""
        if self._provider is None:
            return
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_FLUSH_S)


_current = Tracer()


def tracer() -> Tracer:
    """The tracer of this process."""
    return _current


def configure_traces(service: str, *, exporter: SpanExporter | None = None) -> Tracer:
    """Set up tracing for a whole process; call ``close`` of what comes back at its end.

    Args:
        service: ``service.name``, unless ``OTEL_SERVICE_NAME`` says otherwise.
        exporter: where steps go at once, one by one; None: over OTLP, as the environment says.
    """
    global _current  # one per process, as logging has
    _current = Tracer(_provider(service, exporter))
    return _current


@contextmanager
def traces(service: str) -> Iterator[None]:
    """Tracing for as long as this lasts, as ``configure_traces`` sets it up."""
    configured = configure_traces(service)
    try:
        yield
    finally:
        configured.close()


def _provider(service: str, exporter: SpanExporter | None) -> TracerProvider | None:
    if exporter is None and not _wanted():
        return None
    if importlib.util.find_spec("opentelemetry") is None or not _has_sdk():
        from contracts.logs import get_logger

        get_logger(__name__).warning(
            "traces are wanted, but their packages are not installed",
            hint="pip install 'mgeo-stream[otel]'",
        )
        return None
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    named = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: named}), shutdown_on_exit=False
    )
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _wanted() -> bool:
    env = os.environ
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if env.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return any(env.get(name) for name in EXPORTERS)


def _has_sdk() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _error_type(error: Failure) -> str:
    if isinstance(error, str):
        return error
    return error.code if isinstance(error, MgeoError) else type(error).__name__


def _known(attributes: Mapping[str, Value]) -> dict[str, Value]:
    unknown = sorted(set(attributes) - set(ATTRIBUTES))
    if unknown:
        raise ValueError(f"not an attribute of a step: {', '.join(unknown)}")
    return dict(attributes)


def _context(traceparent: bytes | None) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {} if traceparent is None else {TRACEPARENT: traceparent.decode("ascii", "replace")}
    # A context of its own: what is current in this task is nobody's business here.
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _span_context(traceparent: bytes) -> Any:
    from opentelemetry.trace import get_current_span

    return get_current_span(_context(traceparent)).get_span_context()
