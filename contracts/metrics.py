"""Every metric by name, kind, labels and meaning, as data.

Dashboards, alerts and the reference page are generated from, or checked against, this list.
A label never holds text that a publisher wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Kind = Literal["counter", "gauge", "histogram"]

LATENCY_BUCKETS_S: Final = tuple(
    round(0.0005 * 1.35**step, 6)
    for step in range(36)  # 0.5 ms … 18 s
)
"""Bounds in seconds that grow by 1.35: a P99 read from them is at most 35% off."""

RATIO_BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)

RECORD_ADDRESSES_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric. ``name`` is what Prometheus shows (counters get ``_total`` from the client)."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_CONTROL_ERRORS: Final = MetricSpec(
    "mgeo_control_errors", "counter", "Control records that could not be used", ("code",)
)

_CERTIFICATES: Final = MetricSpec(
    "mgeo_certificate_expiry_timestamp_seconds",
    "gauge",
    "Unix time at which a certificate that Kafka is reached with ends: authority, client or broker",
    ("certificate",),
)

WORKER_METRICS: Final = (
    MetricSpec("mgeo_worker_ready", "gauge", "1 while the worker is ready to serve"),
    MetricSpec(
        "mgeo_lag_records", "gauge", "Input records not yet committed", ("topic", "partition")
    ),
    MetricSpec("mgeo_lanes", "gauge", "Owned input partitions by state", ("state",)),
    MetricSpec("mgeo_inflight_addresses", "gauge", "Addresses taken in and not yet committed"),
    MetricSpec("mgeo_inflight_bytes", "gauge", "Bytes of input taken in and not yet committed"),
    MetricSpec("mgeo_paused_partitions", "gauge", "Partitions paused by backpressure"),
    MetricSpec(
        "mgeo_addresses", "counter", "Addresses with a committed result", ("status", "spec")
    ),
    MetricSpec("mgeo_address_errors", "counter", "Error results by code", ("code",)),
    MetricSpec(
        "mgeo_records",
        "counter",
        "Input records committed, by what became of them; a shadow's are pair, unreadable, crashed",
        ("outcome",),
    ),
    MetricSpec("mgeo_records_passed_over", "counter", "Input records outside the shadow's sample"),
    MetricSpec("mgeo_dead_letters", "counter", "Dead letters by code", ("code",)),
    MetricSpec(
        "mgeo_replies",
        "counter",
        "Replies to whoever waits for a record: sent, late, no_partition, crowded_out, failed",
        ("outcome",),
    ),
    MetricSpec("mgeo_cache_hits", "counter", "Addresses answered from the cache of repeats"),
    MetricSpec("mgeo_cache_misses", "counter", "Addresses that had to be parsed"),
    MetricSpec("mgeo_device_batches", "counter", "Batches run on the device", ("spec",)),
    MetricSpec("mgeo_device_seconds", "counter", "Time the device computed for a model", ("spec",)),
    MetricSpec(
        "mgeo_batch_fill_ratio",
        "histogram",
        "Padded tokens of a device batch over the token budget",
        (),
        RATIO_BUCKETS,
    ),
    MetricSpec(
        "mgeo_padding_waste_ratio",
        "histogram",
        "Share of a device batch's tokens that is padding",
        (),
        RATIO_BUCKETS,
    ),
    MetricSpec("mgeo_device_busy_seconds", "counter", "Time the device computed"),
    MetricSpec("mgeo_device_idle_seconds", "counter", "Time the device waited for work"),
    MetricSpec(
        "mgeo_device_oom", "counter", "Device batches that ran out of memory and were split"
    ),
    MetricSpec(
        "mgeo_queue_seconds",
        "histogram",
        "From a record's arrival to its first device batch",
        (),
        LATENCY_BUCKETS_S,
    ),
    MetricSpec(
        "mgeo_service_seconds",
        "histogram",
        "From a record's first device batch to its finished result",
        (),
        LATENCY_BUCKETS_S,
    ),
    MetricSpec(
        "mgeo_commit_seconds",
        "histogram",
        "One transaction, from begin to commit",
        (),
        LATENCY_BUCKETS_S,
    ),
    MetricSpec("mgeo_transactions", "counter", "Transactions by outcome", ("outcome",)),
    MetricSpec("mgeo_fencings", "counter", "Lanes closed because another owner took over"),
    MetricSpec("mgeo_rebalances", "counter", "Assignments received from the group"),
    MetricSpec(
        "mgeo_refusals",
        "counter",
        "Times this worker said beside its offsets that it cannot hold a model, or lost records",
        ("code",),
    ),
    MetricSpec("mgeo_serving_epoch", "gauge", "Serving epoch that the worker follows"),
    MetricSpec("mgeo_serving_info", "gauge", "1 for each resident spec", ("spec", "role")),
    _CONTROL_ERRORS,
    MetricSpec(
        "mgeo_version_mismatch", "gauge", "1 while MGEO_VERSION differs from the control record"
    ),
    _CERTIFICATES,
    MetricSpec("mgeo_gpu_utilisation_ratio", "gauge", "GPU utilisation, where there is a GPU"),
    MetricSpec("mgeo_gpu_memory_bytes", "gauge", "GPU memory in use, where there is a GPU"),
)
"""What a worker exposes, beside the client's own ``process_*`` metrics (memory among them)."""

CONTROLLER_METRICS: Final = (
    MetricSpec("mgeo_controller_leader", "gauge", "1 while this controller leads"),
    MetricSpec(
        "mgeo_controller_loop_silent_seconds",
        "gauge",
        "Time since the event loop last turned: seconds mean that it hangs and believes what it "
        "knew before",
    ),
    MetricSpec("mgeo_controller_revision", "gauge", "Revision of the control state"),
    MetricSpec("mgeo_controller_serving_epoch", "gauge", "Serving epoch that was written last"),
    MetricSpec("mgeo_controller_phase", "gauge", "1 for the present phase", ("phase",)),
    MetricSpec("mgeo_controller_paused", "gauge", "1 while the rollout is paused"),
    MetricSpec(
        "mgeo_controller_moves",
        "counter",
        "Moves of rollouts that this controller has written, by the phase entered and its cause",
        ("phase", "cause"),
    ),
    MetricSpec(
        "mgeo_controller_audit_alerts",
        "counter",
        "Entries of the audit that say what a person should look at",
    ),
    MetricSpec(
        "mgeo_controller_unadopted_partitions",
        "gauge",
        "Input partitions that have not adopted what the phase waits for",
    ),
    MetricSpec(
        "mgeo_controller_refusing_partitions",
        "gauge",
        "Input partitions whose worker cannot hold the candidate",
    ),
    MetricSpec("mgeo_controller_pairs", "gauge", "Records with results of both models so far"),
    MetricSpec(
        "mgeo_controller_gate_value", "gauge", "Point estimate of each gate but slices", ("gate",)
    ),
    MetricSpec(
        "mgeo_controller_gate_log_e",
        "gauge",
        "Natural logarithm of each gate's e-value, slices left out",
        ("gate",),
    ),
    MetricSpec("mgeo_controller_cut_age_seconds", "gauge", "Age of the newest judged cut"),
    MetricSpec(
        "mgeo_controller_evidence_age_seconds",
        "gauge",
        "Age of the newest input that both models answered; before the first, time since shadowing "
        "began; of a replay, the age of the newest cut",
    ),
    MetricSpec(
        "mgeo_controller_evidence_errors", "counter", "Times that evidence could not be read"
    ),
    MetricSpec(
        "mgeo_controller_refolds_differing",
        "counter",
        "Recorded cuts whose verdict came out otherwise when folded again",
    ),
    _CONTROL_ERRORS,
    _CERTIFICATES,
)
"""What a controller exposes, beside the client's own ``process_*`` metrics."""

GATEWAY_METRICS: Final = (
    MetricSpec("mgeo_gateway_ready", "gauge", "1 while the gateway can take requests"),
    MetricSpec("mgeo_gateway_workers", "gauge", "Members of the stable workers' group"),
    MetricSpec("mgeo_gateway_requests", "counter", "HTTP requests answered", ("route", "status")),
    MetricSpec("mgeo_gateway_problems", "counter", "Requests that were not done", ("code",)),
    MetricSpec(
        "mgeo_gateway_request_seconds",
        "histogram",
        "From a request's head to its answer, those refused left out",
        ("route",),
        LATENCY_BUCKETS_S,
    ),
    MetricSpec(
        "mgeo_gateway_gone_clients", "counter", "Requests whose client left before the answer"
    ),
    MetricSpec(
        "mgeo_gateway_pending_addresses", "gauge", "Addresses taken in and not yet answered"
    ),
    MetricSpec(
        "mgeo_gateway_backlog_records",
        "gauge",
        "Records of the gateways' input topic that the workers have not committed",
    ),
    MetricSpec(
        "mgeo_gateway_record_addresses",
        "histogram",
        "Addresses in one published record",
        (),
        RECORD_ADDRESSES_BUCKETS,
    ),
    MetricSpec(
        "mgeo_gateway_replies",
        "counter",
        "Replies read: answered, refused, late, foreign (of another instance), unreadable",
        ("outcome",),
    ),
    _CONTROL_ERRORS,
    _CERTIFICATES,
)
"""What a gateway exposes."""

ALL_METRICS: Final = tuple(dict.fromkeys((*WORKER_METRICS, *CONTROLLER_METRICS, *GATEWAY_METRICS)))
"""Every metric once."""


class Metrics:
    """The metrics of one process, registered in one registry.

    ``metrics.counter("mgeo_records").labels(outcome="parsed").inc()``; a name that is not in
    the list is a ``KeyError``.
    """

    def __init__(self, specs: tuple[MetricSpec, ...], registry: CollectorRegistry) -> None:
        self.registry = registry
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for spec in specs:
            if spec.kind == "counter":
                self._counters[spec.name] = Counter(
                    spec.name, spec.help, spec.labels, registry=registry
                )
            elif spec.kind == "gauge":
                self._gauges[spec.name] = Gauge(
                    spec.name, spec.help, spec.labels, registry=registry
                )
            else:
                self._histograms[spec.name] = Histogram(
                    spec.name, spec.help, spec.labels, buckets=spec.buckets, registry=registry
                )

    def counter(self, name: str) -> Counter:
        """The counter of that name."""
        return self._counters[name]

    def gauge(self, name: str) -> Gauge:
        """The gauge of that name."""
        return self._gauges[name]

    def histogram(self, name: str) -> Histogram:
        """The histogram of that name."""
        return self._histograms[name]
