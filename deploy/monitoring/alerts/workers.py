"""Alerts about stable workers: are they there, do they keep up, are the results sound."""

from __future__ import annotations

from deploy.monitoring.rules import LEADS, Alert
from deploy.monitoring.settings import ObjectiveSettings

_JOB = 'job="mgeo-worker"'


def alerts(objectives: ObjectiveSettings) -> tuple[Alert, ...]:
    """The alerts with these objectives in them."""
    lag, errors = objectives.alert_lag_records, objectives.objective_error_share
    return (
        Alert(
            "MgeoNoReadyWorker",
            f"(sum(mgeo_worker_ready{{{_JOB}}}) or vector(0)) == 0",
            "3m",
            "critical",
            "No worker is ready: nothing is parsed",
            "Input waits in Kafka and is lost only when retention ends. Ask a worker's /readyz "
            "what it waits for; where there is no worker, start one.",
        ),
        Alert(
            "MgeoWorkerNotReady",
            f"mgeo_worker_ready{{{_JOB}}} == 0",
            "15m",
            "warning",
            "The worker at {{ $labels.instance }} is not ready",
            "Its /readyz says what it waits for: the broker, a model, the group, or a partition "
            "that does not open.",
        ),
        Alert(
            "MgeoPartitionsShut",
            f'sum by (job, instance) (mgeo_lanes{{{_JOB},state="opening"}}) > 0',
            "10m",
            "critical",
            "{{ $value }} partitions of {{ $labels.instance }} do not open",
            "Nobody else reads them: their records stand still. /readyz of that worker names "
            "them and the reason.",
        ),
        Alert(
            "MgeoStalled",
            # Over two minutes: a worker that loses its lanes and takes them again shows neither
            # number for a moment, and would begin the five minutes anew each time.
            f"(sum by (job) (max_over_time(mgeo_inflight_addresses{{{_JOB}}}[2m])) > 0 "
            f"or max_over_time(mgeo:lag_records:sum{{{_JOB}}}[2m]) > {lag}) "
            f"and on (job) sum by (job) (rate(mgeo_records_total{{{_JOB}}}[5m])) == 0",
            "5m",
            "critical",
            "Records wait and none is committed",
            "Workers answer but nothing gets through: a hanging device, a broker that confirms "
            "no transaction, or a record that ends its worker each time.",
        ),
        Alert(
            "MgeoLagGrowing",
            f"mgeo:lag_records:sum{{{_JOB}}} > {lag} "
            f"and deriv(mgeo:lag_records:sum{{{_JOB}}}[15m]) > 0",
            "10m",
            "warning",
            "{{ $value }} records wait, and more every minute",
            "More comes in than is parsed. Compare the device's share of time with the rate of "
            "records: a busy device needs another worker, an idle one has another trouble.",
        ),
        Alert(
            "MgeoDeviceIdleWithLag",
            f"mgeo:device_busy_ratio:rate5m{{{_JOB}}} < {objectives.alert_idle_device_ratio} "
            f"and on (job, instance) sum by (job, instance) (mgeo_lag_records{{{_JOB}}}) > {lag}",
            "10m",
            "warning",
            "{{ $labels.instance }} computes {{ $value | humanizePercentage }} of the time, "
            "and its records wait",
            "Another worker would not help: find what the device waits for. Slow commits, too "
            "small batches, or too little CPU for decoding are the usual three.",
        ),
        Alert(
            "MgeoErrorShareHigh",
            f'sum(rate(mgeo_addresses_total{{{_JOB},status="error"}}[15m])) '
            f"/ sum(rate(mgeo_addresses_total{{{_JOB}}}[15m])) > {errors} "
            f"and sum(increase(mgeo_addresses_total{{{_JOB}}}[15m])) > 100",
            "5m",
            "warning",
            "{{ $value | humanizePercentage }} of the addresses come back as errors",
            "The codes say whose: of the input (empty_text, text_too_long) or of the model "
            "(model_error, device_out_of_memory). If it began with a rollout, roll back.",
        ),
        Alert(
            "MgeoDeadLetters",
            f'sum(increase(mgeo_records_total{{{_JOB},outcome="dead_letter"}}[15m])) '
            f"/ sum(increase(mgeo_records_total{{{_JOB}}}[15m])) "
            f"> {objectives.objective_dead_letter_share}",
            "0m",
            "warning",
            "{{ $value | humanizePercentage }} of the records are dead letters",
            "They are kept, untouched, and can be replayed. `mgeo dlq list` says which codes and "
            "which publisher; most often a publisher has changed its format.",
        ),
        Alert(
            "MgeoServiceSlow",
            f"mgeo:service_seconds:p99_5m{{{_JOB}}} "
            f"> {objectives.objective_service_p99_ms / 1e3:g}",
            "10m",
            "warning",
            "P99 of parsing a record is {{ $value | humanizeDuration }}",
            "Over the objective. Larger records, a larger model, a smaller share of the device, "
            "or a device that has slowed down.",
        ),
        Alert(
            "MgeoCommitsSlow",
            f"mgeo:commit_seconds:p99_5m{{{_JOB}}} > {objectives.objective_commit_p99_ms / 1e3:g}",
            "10m",
            "warning",
            "P99 of a transaction is {{ $value | humanizeDuration }}",
            "The brokers are slow to confirm: look at their disks, replicas and request queues.",
        ),
        Alert(
            "MgeoCommitsLost",
            f'sum(rate(mgeo_transactions_total{{{_JOB},outcome="lost"}}[10m])) '
            f"/ sum(rate(mgeo_transactions_total{{{_JOB}}}[10m])) > 0.05",
            "10m",
            "warning",
            "{{ $value | humanizePercentage }} of the transactions fail or end unknown",
            "Nothing is lost or doubled; the records are read again. Brokers that restart, time "
            "out, or fence are the cause.",
        ),
        Alert(
            "MgeoFencingStorm",
            "sum by (job) (increase(mgeo_fencings_total[10m])) > 3 "
            "and sum by (job) (increase(mgeo_fencings_total[10m] offset 10m)) > 3",
            "0m",
            "warning",
            "{{ $labels.job }}: lanes keep being fenced",
            "One takeover fences each partition once; this goes on. Two workers fight over the "
            "same partitions: stalls longer than the session, or one group used by two systems.",
        ),
        Alert(
            "MgeoRebalanceStorm",
            "avg by (job) (increase(mgeo_rebalances_total[15m])) > 6 "
            "and avg by (job) (increase(mgeo_rebalances_total[15m] offset 15m)) > 6",
            "0m",
            "warning",
            "{{ $labels.job }}: the group rebalances again and again",
            "Each time everybody stops for a moment. Workers that come and go, or miss their "
            "heartbeats: look for restarts, and for CPU that is throttled.",
        ),
        Alert(
            "MgeoDeviceOutOfMemory",
            "sum by (job, instance) (increase(mgeo_device_oom_total[30m])) > 10",
            "0m",
            "warning",
            "The device of {{ $labels.instance }} keeps running out of memory",
            "Batches are split and tried again, so nothing is lost but time. Lower "
            "MGEO_TOKEN_BUDGET, or see who else uses the device.",
        ),
        Alert(
            "MgeoControlStateStale",
            f"(mgeo_serving_epoch{{{_JOB}}} and on (job, instance) (mgeo_worker_ready == 1)) "
            f"!= on () group_left () max(mgeo_controller_serving_epoch and {LEADS})",
            "10m",
            "critical",
            "{{ $labels.instance }} serves under epoch {{ $value }}, which is not the present one",
            "It answers with a serving set that was replaced: after a rollback that may be the "
            "model that was taken back. Its /readyz and log say what it cannot do.",
        ),
        Alert(
            "MgeoVersionMismatch",
            f"max(mgeo_version_mismatch{{{_JOB}}}) == 1",
            "1h",
            "info",
            "MGEO_VERSION differs from what the control record says",
            "The record wins, so nothing is wrong with the results. Bring the setting in line, "
            "or whoever reads it will believe the wrong version.",
        ),
        Alert(
            "MgeoRepliesFail",
            f'sum(rate(mgeo_replies_total{{{_JOB},outcome=~"failed|crowded_out"}}[10m])) '
            f"/ sum(rate(mgeo_replies_total{{{_JOB}}}[10m])) > {errors}",
            "5m",
            "warning",
            "{{ $value | humanizePercentage }} of the replies to gateways are not sent",
            "Callers run into their deadline although their results are committed. The broker, "
            "or more replies than can be sent.",
        ),
    )
