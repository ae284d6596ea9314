"""Recording rules, and what an alert is. Data: nothing here is evaluated.

Three things hold for every expression. A gauge of a controller counts only while that controller
leads: of the others it is a memory. Lag is taken per partition, as the largest that anybody says,
before it is summed: a worker that lost a partition, or hangs, may still show its last number. And
what must fire when targets are gone ends in ``or vector(0)``: no data is never good news.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["critical", "warning", "info", "none"]

SEVERITIES: Final[dict[Severity, str]] = {
    "critical": "wakes somebody: addresses stand still, or a rollout is out of control",
    "warning": "somebody looks at it today",
    "info": "somebody should know; nothing is wrong yet",
    "none": "not for people",
}
"""Each severity and what it asks for."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule.

    Attributes:
        record: the name that it is recorded under.
        expr: PromQL.
        meaning: for people.
    """

    record: str
    expr: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule; its runbook is the page of its name in ``docs/runbooks``.

    Attributes:
        name: of the alert.
        expr: PromQL.
        lasting: how long it must hold, as Prometheus writes durations.
        severity: see ``SEVERITIES``.
        summary: one line; may use ``{{ $labels.x }}`` and ``{{ $value }}``.
        description: what it means and the first thing to do.
    """

    name: str
    expr: str
    lasting: str
    severity: Severity
    summary: str
    description: str


LEADS: Final = "on (job, instance) (mgeo_controller_leader == 1)"
"""Restricts a controller's gauge to the controller that leads."""

RECORDINGS: Final = (
    Recording(
        "mgeo:lag_records:partition",
        "max by (job, topic, partition) (mgeo_lag_records)",
        "Records not yet committed, per partition, whoever owns it",
    ),
    Recording(
        "mgeo:lag_records:sum",
        "sum by (job) (mgeo:lag_records:partition)",
        "Records not yet committed, over all partitions",
    ),
    Recording(
        "mgeo:records:rate5m",
        "sum by (job, outcome) (rate(mgeo_records_total[5m]))",
        "Records committed per second, by what became of them",
    ),
    Recording(
        "mgeo:addresses:rate5m",
        "sum by (job, spec, status) (rate(mgeo_addresses_total[5m]))",
        "Addresses committed per second, by model and status",
    ),
    Recording(
        "mgeo:device_busy_ratio:rate5m",
        "sum by (job, instance) (rate(mgeo_device_busy_seconds_total[5m]))",
        "Share of the time that a worker's device computed",
    ),
    Recording(
        "mgeo:service_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (job, le) (rate(mgeo_service_seconds_bucket[5m])))",
        "From a record's first device batch to its finished result, 99 of 100",
    ),
    Recording(
        "mgeo:queue_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (job, le) (rate(mgeo_queue_seconds_bucket[5m])))",
        "From a record's arrival at its worker to its first device batch, 99 of 100",
    ),
    Recording(
        "mgeo:commit_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (job, le) (rate(mgeo_commit_seconds_bucket[5m])))",
        "One transaction, 99 of 100",
    ),
    Recording(
        "mgeo:gateway_request_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (job, route, le) "
        "(rate(mgeo_gateway_request_seconds_bucket[5m])))",
        "From a request's head to its answer, 99 of 100",
    ),
    Recording(
        "mgeo:rollout_phase",
        f"max by (phase) (mgeo_controller_phase and {LEADS})",
        "1 for the phase that the leading controller says",
    ),
)
"""What several alerts and panels ask for, computed once."""
