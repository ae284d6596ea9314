"""Steps of a record's way, with OpenTelemetry and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from contracts.errors import TransientError
from contracts.headers import traceparent_of
from contracts.logs import LogBudget
from contracts.tracing import ATTRIBUTES, Tracer, configure_traces

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Iterator[Tracer]:
    made = configure_traces("test", exporter=exporter)
    yield made
    configure_traces("test")


def test_without_tracing_a_step_hands_on_what_came_in() -> None:
    step = Tracer().begin("x", "consumer", parent=PARENT)

    assert step.traceparent == PARENT
    step.end(error="bad")
    assert Tracer().begin("x", "consumer").traceparent is None


def test_a_step_belongs_to_the_trace_that_came_in_and_is_the_parent_of_what_follows(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    first = tracer.begin("a", "producer", parent=PARENT, links=[OTHER])
    second = tracer.begin("b", "consumer", parent=first.traceparent, at_ns=1_000)
    second.say({"mgeo.track": "canary"})
    second.end(error=TransientError("no", code="sink_lost"), at_ns=3_000)
    first.end()

    child, parent = exporter.get_finished_spans()
    assert f"{parent.context.trace_id:032x}" == PARENT.decode().split("-")[1]
    assert child.context.trace_id == parent.context.trace_id
    assert child.parent is not None
    assert child.parent.span_id == parent.context.span_id
    assert (child.start_time, child.end_time) == (1_000, 3_000)
    assert dict(child.attributes or {}) == {"mgeo.track": "canary", "error.type": "sink_lost"}
    assert child.status.status_code is StatusCode.ERROR
    assert child.status.description is None
    assert [f"{link.context.trace_id:032x}" for link in parent.links] == [
        OTHER.decode().split("-")[1]
    ]
    assert traceparent_of([("traceparent", first.traceparent or b"")]) is not None


def test_a_trace_begins_where_none_came_in(tracer: Tracer) -> None:
    step = tracer.begin("a", "producer")

    assert step.traceparent is not None
    assert step.traceparent.split(b"-")[1] not in PARENT


@pytest.mark.parametrize("name", ["address", "text", "mgeo.text"])
def test_an_attribute_that_nobody_declared_is_refused(tracer: Tracer, name: str) -> None:
    assert name not in ATTRIBUTES
    with pytest.raises(ValueError, match="not an attribute"):
        tracer.begin("a", "internal", attributes={name: "x"})
    with pytest.raises(ValueError, match="not an attribute"):
        tracer.begin("a", "internal").say({name: "x"})


def test_an_error_is_named_and_never_quoted(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    tracer.begin("a", "internal").end(error=RuntimeError("金丝雀路1号"))

    (span,) = exporter.get_finished_spans()
    assert "金丝雀" not in span.to_json()
    assert (span.attributes or {})["error.type"] == "RuntimeError"


def test_a_collector_that_is_away_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    configured = configure_traces("test")
    try:
        configured.begin("a", "internal").end()
        configured.close()  # the test's own timeout is what would be missed
    finally:
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
        configure_traces("test")


def test_a_flood_of_lines_is_bounded_and_counted() -> None:
    budget = LogBudget(lines=2, window_s=1.0)

    assert [budget.spend(now) for now in (0.0, 0.1, 0.2, 0.3)] == [0, 0, None, None]
    assert budget.spend(1.0) == 2
    assert budget.spend(1.1) == 0
