"""One trace from the publisher through Kafka to the result, sent to a collector."""

from __future__ import annotations

import http.server
import io
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog
from aiokafka import AIOKafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from contracts.headers import traceparent_of
from contracts.logs import configure_logs
from contracts.settings import KafkaSettings, client_options
from contracts.tracing import configure_traces
from producer import AddressPublisher
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CANARY = "金丝雀路七七四九号"


class Collector:
    """Takes OTLP over HTTP, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            self.services |= {
                one.value.string_value
                for one in resource.resource.attributes
                if one.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    yield made
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    configure_traces("test")  # none any more
    made.close()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that a service would log, at its most talkative."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    lines = io.StringIO()
    monkeypatch.setattr("sys.stderr", lines)
    configure_logs(json_lines=True, level=logging.DEBUG)
    yield lines
    root.handlers, root.level = before, level
    structlog.reset_defaults()


async def test_one_trace_from_publisher_to_result_and_no_address_in_it_or_in_the_logs(
    kafka: KafkaSettings, topics: TopicFactory, collector: Collector, logged: io.StringIO
) -> None:
    names = topics.create_standard(1)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    tracing = configure_traces("mgeo-test")
    async with running_worker(stream) as worker:
        await worker.ready()
        async with AddressPublisher(stream) as publisher:
            await publisher.publish(
                [CANARY, instant.BROKEN_TEXT], batch_id="traced", traceparent=PARENT
            )
            await publisher.publish([CANARY], batch_id="untraced")
        async with AIOKafkaProducer(**client_options(stream)) as producer:
            await producer.send_and_wait(names.events, f"{{{CANARY}".encode())
        await until_done(stream)
    tracing.close()

    first, second = await everything(stream, names.parsed)
    by_id = {span.span_id.hex(): span for span in collector.spans}
    parts = (traceparent_of(first.headers) or b"").decode().split("-")
    assert parts[1] == PARENT.decode().split("-")[1]
    process = by_id[parts[2]]
    send = by_id[process.parent_span_id.hex()]
    assert (send.name, process.name) == (f"{names.events} send", f"{names.events} process")
    assert send.parent_span_id.hex() == PARENT.decode().split("-")[2]
    assert (send.kind, process.kind) == (Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER)
    assert process.start_time_unix_nano < process.end_time_unix_nano
    said = {one.key: one.value for one in process.attributes}
    assert said["messaging.kafka.offset"].int_value == 0
    assert said["messaging.batch.message_count"].int_value == 2
    assert said["mgeo.outcome"].string_value == "parsed"
    assert traceparent_of(second.headers) not in (None, traceparent_of(first.headers))
    assert collector.services == {"mgeo-test"}
    failed = [
        span for span in collector.spans if any(a.key == "error.type" for a in span.attributes)
    ]
    assert [span.name for span in failed] == [f"{names.events} process"]

    lines = logged.getvalue()
    assert '"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"' in lines
    assert '"event": "dead letter"' in lines
    told = [
        lines,
        *(span.SerializeToString().decode("utf-8", "replace") for span in by_id.values()),
    ]
    told += [str(record.headers) for record in (first, second)]
    assert not [text for text in told if CANARY[:3] in text or repr(CANARY)[1:8] in text]
    assert CANARY in first.value.decode()  # what is looked for is there to be found
