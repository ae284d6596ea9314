"""What a worker tells about itself, and the bounds it keeps."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from contracts.limits import Limits
from contracts.metrics import WORKER_METRICS
from contracts.replies import ReplyTo
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from producer import AddressPublisher
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams.load import record_of
from tests.streams.topic import everything
from tests.streams.worker import running_worker, until_done, write_state

pytestmark = pytest.mark.broker

CANARY = "金丝雀路七七四九号"

# Moved by faults that other tests cause, or by a device that is not here.
_ELSEWHERE = {
    "mgeo_fencings",
    "mgeo_device_oom",
    "mgeo_control_errors",
    "mgeo_version_mismatch",
    "mgeo_paused_partitions",
    "mgeo_gpu_utilisation_ratio",
    "mgeo_gpu_memory_bytes",
    "mgeo_inflight_addresses",
    "mgeo_inflight_bytes",
    "mgeo_lag_records",
    "mgeo_records_passed_over",  # a shadow worker's
    "mgeo_refusals",
    "mgeo_certificate_expiry_timestamp_seconds",  # where there is TLS
}


async def test_every_metric_moves_and_no_address_is_in_them(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    names = topics.create_standard(2)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    async with running_worker(stream) as worker:
        await worker.ready()
        async with AddressPublisher(stream) as publisher:
            await publisher.publish([CANARY, CANARY, f"{CANARY}二", instant.BROKEN_TEXT])
        async with AIOKafkaProducer(**client_options(stream)) as producer:
            await producer.send_and_wait(stream.names.events, f"{{{CANARY}".encode())
            await producer.send_and_wait(
                stream.names.interactive,
                f"{{{CANARY}".encode(),
                headers=ReplyTo(0, "gateway1", "request1").headers(),
            )
        await until_done(stream)
        async with AddressPublisher(stream) as publisher:
            await publisher.publish([CANARY])
        await until_done(stream)
        for path in ("/livez", "/readyz"):
            answer = await worker.get(path)
            assert answer.status_code == 200
            assert answer.json() == {"status": "ok"}
        assert (await worker.get("/other")).status_code == 404
        text = (await worker.get("/metrics")).text
        for spec in WORKER_METRICS:
            name = {"counter": f"{spec.name}_total", "histogram": f"{spec.name}_count"}.get(
                spec.kind, spec.name
            )
            if spec.name not in _ELSEWHERE:
                assert await worker.metric(name) > 0, name
        assert await worker.metric("mgeo_inflight_addresses") == 0
        assert await worker.metric("mgeo_inflight_bytes") == 0
        assert (
            await worker.metric("mgeo_cache_hits_total")
            + await worker.metric("mgeo_cache_misses_total")
            == 5
        )
        assert 'mgeo_dead_letters_total{code="not_json"} 2.0' in text  # one of each input
        assert 'mgeo_address_errors_total{code="model_error"} 1.0' in text
        assert await worker.metric("process_resident_memory_bytes") > 1e6
    headers = [
        value
        for topic in (stream.names.parsed, stream.names.dead_letters)
        for record in await everything(stream, topic)
        for _, value in record.headers
    ]
    for what in (text, b" ".join(headers).decode()):
        assert CANARY not in what


async def test_a_worker_reads_no_more_than_it_may_hold(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    """A backlog many times the bounds: addresses in flight stay within theirs at all times."""
    names = topics.create_standard(2)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    async with AddressPublisher(stream) as publisher:
        for number in range(60):
            await publisher.publish(
                [f"背压路{number}号{index}室" for index in range(100)], key=f"k{number}"
            )
    seen: list[float] = []
    async with running_worker(
        stream, max_in_flight_addresses=300, load=_slow, max_in_flight_bytes=40_000
    ) as worker:
        await worker.ready()
        while await worker.metric("mgeo_addresses_total") < 6000:
            seen.append(await worker.metric("mgeo_inflight_addresses"))
        paused = max(seen)
        await until_done(stream)
    assert 100 <= paused <= 300


def _slow(spec: ModelSpec) -> instant.InstantModel:
    return instant.InstantModel(spec, instant.InstantEncoder(0.00001))


async def test_the_largest_records_go_through(kafka: KafkaSettings, topics: TopicFactory) -> None:
    """A thousand addresses of a thousand characters: too large to carry, address by address."""
    limits = Limits(max_record_bytes=4 << 20, max_result_bytes=5 << 20)
    names = topics.create_standard(1, limits=limits)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await write_state(stream, instant.state())
    text = "长" * 990
    value = record_of(1, [(str(index), f"{text}{index}") for index in range(1000)])
    async with AIOKafkaProducer(max_request_size=8 << 20, **client_options(stream)) as producer:
        await producer.send_and_wait(stream.names.events, value)
    async with running_worker(stream, limits=limits) as worker:
        await worker.ready()
        await until_done(stream)
        assert await worker.metric("mgeo_addresses_total") == 1000
        assert await worker.metric('mgeo_address_errors_total{code="result_too_large"}') > 0
    (record,) = await everything(stream, stream.names.parsed)
    assert len(record.value) <= limits.max_result_bytes
