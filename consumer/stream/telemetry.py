"""What the engine tells about itself: one place that knows the metric names.

The engine calls methods with its own words; nothing else imports prometheus.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar, get_args

from aiokafka import TopicPartition
from prometheus_client import REGISTRY, CollectorRegistry, PlatformCollector, ProcessCollector

from consumer.stream.batcher import Batch
from consumer.stream.in_flight import InFlight
from consumer.stream.records import Outcome, Record
from consumer.stream.steps import trace_id
from contracts.control import UNUSABLE
from contracts.logs import LogBudget, get_logger
from contracts.metrics import WORKER_METRICS, Metrics
from contracts.spec import ModelSpec

_log = get_logger(__name__)

_Item = TypeVar("_Item")


class Telemetry:
    """The worker's metrics.

    Args:
        registry: where they are registered.
        token_budget: what a full device batch is measured against.
    """

    def __init__(self, registry: CollectorRegistry, *, token_budget: int) -> None:
        metrics = Metrics(WORKER_METRICS, registry)
        self.metrics = metrics
        self._token_budget = token_budget
        self._busy = metrics.counter("mgeo_device_busy_seconds")
        self._idle = metrics.counter("mgeo_device_idle_seconds")
        self._oom = metrics.counter("mgeo_device_oom")
        self._hits = metrics.counter("mgeo_cache_hits")
        self._misses = metrics.counter("mgeo_cache_misses")
        self._fill = metrics.histogram("mgeo_batch_fill_ratio")
        self._waste = metrics.histogram("mgeo_padding_waste_ratio")
        self._batches = metrics.counter("mgeo_device_batches")
        self._device_seconds = metrics.counter("mgeo_device_seconds")
        self._passed_over = metrics.counter("mgeo_records_passed_over")
        self._queue = metrics.histogram("mgeo_queue_seconds")
        self._service = metrics.histogram("mgeo_service_seconds")
        self._lag_of: set[TopicPartition] = set()
        # A series that begins with its first event has no increase to show for it: those that
        # alerts are about begin with zero.
        for outcome in get_args(Outcome):
            metrics.counter("mgeo_records").labels(outcome=outcome)
        for outcome in ("committed", "lost"):
            metrics.counter("mgeo_transactions").labels(outcome=outcome)
        for code in UNUSABLE:
            metrics.counter("mgeo_control_errors").labels(code=code)
        self._dead_letter_lines = LogBudget()
        # Memory, CPU, open files: the client registers them for its default registry alone.
        if registry is not REGISTRY:
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)

    # --- the device, from its own thread ---

    def device_time(self, *, busy_s: float, idle_s: float) -> None:
        """One batch: the device was idle, then busy."""
        self._busy.inc(busy_s)
        self._idle.inc(idle_s)

    def device_out_of_memory(self) -> None:
        """A batch was split because memory ran out."""
        self._oom.inc()

    def certificate(self, which: str, ends_at: float) -> None:
        """When a certificate that Kafka is reached with ends, in seconds of Unix time."""
        ends = self.metrics.gauge("mgeo_certificate_expiry_timestamp_seconds")
        ends.labels(certificate=which).set(ends_at)

    # --- the pipeline ---

    def batch(
        self, batch: Batch[_Item], specs: Sequence[ModelSpec], seconds: Sequence[float]
    ) -> None:
        """A device batch has run on these models, for so long on each."""
        self._fill.observe(batch.padded_tokens / self._token_budget)
        self._waste.observe(batch.padding_waste)
        for spec, busy in zip(specs, seconds, strict=True):
            self._batches.labels(spec=spec.key).inc()
            self._device_seconds.labels(spec=spec.key).inc(busy)

    def cache(self, *, hits: int, misses: int) -> None:
        """The texts of a record were looked up."""
        self._hits.inc(hits)
        self._misses.inc(misses)

    def watch(self, in_flight: Sequence[InFlight]) -> None:
        """Show the sum of these."""
        addresses = self.metrics.gauge("mgeo_inflight_addresses")
        addresses.set_function(lambda: sum(one.addresses for one in in_flight))
        size = self.metrics.gauge("mgeo_inflight_bytes")
        size.set_function(lambda: sum(one.bytes for one in in_flight))

    def finished(self, record: Record, now: float) -> None:
        """A record is ready to be committed."""
        device_at = record.device_at if record.device_at is not None else now
        self._queue.observe(max(0.0, device_at - record.received_at))
        self._service.observe(max(0.0, now - device_at))

    # --- lanes and the group ---

    def committed(self, records: list[Record], seconds: float) -> None:
        """A commit went through."""
        metrics = self.metrics
        metrics.counter("mgeo_transactions").labels(outcome="committed").inc()
        metrics.histogram("mgeo_commit_seconds").observe(seconds)
        # Nobody pays for lines that are not written.
        in_detail = logging.getLogger(__name__).isEnabledFor(logging.DEBUG)
        for record in records:
            if in_detail:
                _log.debug("record committed", **_described(record))
            metrics.counter("mgeo_records").labels(outcome=record.outcome).inc()
            if record.outcome == "dead_letter" and record.dead_letter is not None:
                metrics.counter("mgeo_dead_letters").labels(code=record.dead_letter.code).inc()
                self._tell_dead_letter(record)
                continue
            for side, results in zip(record.route.sides, record.results, strict=False):
                failed = 0
                for result in results:
                    if result is not None and result.error is not None:
                        failed += 1
                        metrics.counter("mgeo_address_errors").labels(code=result.error).inc()
                spec = side.spec.name
                addresses = metrics.counter("mgeo_addresses")
                addresses.labels(status="ok", spec=spec).inc(len(results) - failed)
                addresses.labels(status="error", spec=spec).inc(failed)

    def _tell_dead_letter(self, record: Record) -> None:
        unsaid = self._dead_letter_lines.spend(time.monotonic())
        if unsaid is not None:
            _log.warning("dead letter", **_described(record), others_not_logged=unsaid)

    def passed_over(self) -> None:
        """A record lies outside the sample."""
        self._passed_over.inc()

    def refused(self, code: str) -> None:
        """This worker says beside its offsets that it cannot go on to a plan."""
        self.metrics.counter("mgeo_refusals").labels(code=code).inc()

    def lane_lost(self, *, fenced: bool) -> None:
        """A commit failed or its outcome is unknown; the lane closes."""
        self.metrics.counter("mgeo_transactions").labels(outcome="lost").inc()
        if fenced:
            self.metrics.counter("mgeo_fencings").inc()

    def rebalanced(self, lanes: int) -> None:
        """The group assigned partitions."""
        self.metrics.counter("mgeo_rebalances").inc()
        self.lanes(opening=lanes, open_=0)

    def lanes(self, *, opening: int, open_: int) -> None:
        """How many lanes are in which state."""
        self.metrics.gauge("mgeo_lanes").labels(state="opening").set(opening)
        self.metrics.gauge("mgeo_lanes").labels(state="open").set(open_)

    def lag(self, records: Mapping[TopicPartition, int]) -> None:
        """Input records that are not committed, by owned partition; the others are forgotten."""
        gauge = self.metrics.gauge("mgeo_lag_records")
        for gone in self._lag_of - set(records):
            gauge.remove(gone.topic, str(gone.partition))
        for one, count in records.items():
            gauge.labels(topic=one.topic, partition=str(one.partition)).set(count)
        self._lag_of = set(records)

    def paused(self, partitions: int) -> None:
        """Partitions paused by backpressure."""
        self.metrics.gauge("mgeo_paused_partitions").set(partitions)


def _described(record: Record) -> dict[str, object]:
    """What a line about a record says: never its text, nor anything else a publisher wrote but
    the batch's id."""
    errors = Counter(
        result.error for side in record.results for result in side if result and result.error
    )
    letter = record.dead_letter
    return {
        "origin": record.origin.id,
        "batch_id": record.batch and record.batch.batch_id,
        "trace_id": trace_id(record),
        "spec": [side.spec.name for side in record.route.sides],
        "serving_epoch": record.route.serving_epoch,
        "outcome": record.outcome,
        "code": letter and letter.code,
        "address_errors": dict(errors),
    }
