"""The operators' dashboard: is it healthy, does it keep up, what does it cost."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.panels.panel import Dashboard, Panel, Query, Row

_W: Final = 'job="mgeo-worker"'
_R: Final = 'route=~"/parse|/parse/batch|/events"'

_HEALTHY: Final = Row(
    "Healthy?",
    (
        Panel(
            "Ready workers",
            (Query(f"sum(mgeo_worker_ready{{{_W}}}) or vector(0)", "ready"),),
            "none",
            "Workers that are in the group with every model in memory.",
            shape="stat",
            width=4,
        ),
        Panel(
            "Ready gateways",
            (Query("sum(mgeo_gateway_ready) or vector(0)", "ready"),),
            "none",
            "Gateways that take requests.",
            shape="stat",
            width=4,
        ),
        Panel(
            "Leading controllers",
            (Query("sum(mgeo_controller_leader) or vector(0)", "leading"),),
            "none",
            "One. None: no rollout moves. Two: one of them hangs in a term that is over.",
            shape="stat",
            width=4,
        ),
        Panel(
            "Firing alerts",
            (
                Query(
                    'sum by (alertname, severity) (ALERTS{alertstate="firing",severity!="none"}) '
                    "or vector(0)",
                    "{{alertname}}",
                ),
            ),
            "none",
            "Each has a page: docs/runbooks.",
            shape="stat",
            width=6,
        ),
        Panel(
            "Targets that answer",
            (Query('sum by (job) (up{job=~"mgeo-.+"})', "{{job}}"),),
            "none",
            "Processes whose /metrics could be scraped, by role.",
            shape="stat",
            width=6,
        ),
        Panel(
            "Addresses with an error",
            (
                Query(
                    'sum by (spec) (mgeo:addresses:rate5m{job="mgeo-worker",status="error"}) '
                    '/ sum by (spec) (mgeo:addresses:rate5m{job="mgeo-worker"})',
                    "{{spec}}",
                ),
            ),
            "percentunit",
            "Share of the results, by model.",
        ),
        Panel(
            "Errors by code",
            (Query(f"sum by (code) (rate(mgeo_address_errors_total{{{_W}}}[5m]))", "{{code}}"),),
            "ops",
            "What the errors are: docs/reference/errors.md.",
            needs="fault",
        ),
        Panel(
            "Dead letters by code",
            (Query("sum by (code) (increase(mgeo_dead_letters_total[15m]))", "{{code}}"),),
            "short",
            "Records that could not be read, in 15 minutes.",
        ),
        Panel(
            "Transactions",
            (
                Query(
                    f"sum by (outcome) (rate(mgeo_transactions_total{{{_W}}}[5m]))", "{{outcome}}"
                ),
            ),
            "ops",
            "Commits that went through, and those that failed or ended unknown.",
        ),
        Panel(
            "Fencings and rebalances",
            (
                Query("sum by (job) (increase(mgeo_fencings_total[15m]))", "fencings {{job}}"),
                Query("sum by (job) (increase(mgeo_rebalances_total[15m]))", "rebalances {{job}}"),
            ),
            "short",
            "In 15 minutes. A few with every restart; many and again: somebody is fighting.",
        ),
        Panel(
            "Partitions by state",
            (Query("sum by (job, state) (mgeo_lanes)", "{{job}} {{state}}"),),
            "none",
            "Owned partitions: open ones are read, opening ones wait.",
        ),
        Panel(
            "Uptime",
            (Query('time() - process_start_time_seconds{job=~"mgeo-.+"}', "{{job}} {{instance}}"),),
            "s",
            "A saw is a process that keeps restarting.",
        ),
        Panel(
            "Control records that could not be used",
            (
                Query(
                    "sum by (job, code) (increase(mgeo_control_errors_total[15m]))",
                    "{{job}} {{code}}",
                ),
            ),
            "short",
            "None, ever.",
            needs="fault",
        ),
        Panel(
            "Certificates end in",
            (
                Query(
                    "min by (certificate) (mgeo_certificate_expiry_timestamp_seconds - time()) "
                    "/ 86400",
                    "{{certificate}}",
                ),
            ),
            "d",
            "Days that are left, of the authority's file and of the brokers' own.",
            needs="tls",
        ),
        Panel(
            "Device out of memory",
            (Query("sum by (instance) (increase(mgeo_device_oom_total[15m]))", "{{instance}}"),),
            "short",
            "Batches that were split and tried again, in 15 minutes.",
            needs="fault",
        ),
    ),
)

_KEEPING_UP: Final = Row(
    "Keeping up?",
    (
        Panel(
            "Records that wait",
            (Query("mgeo:lag_records:sum", "{{job}}"),),
            "short",
            "Lag over all partitions: input not yet committed.",
        ),
        Panel(
            "Time to drain",
            (
                Query(
                    f"mgeo:lag_records:sum{{{_W}}} / on (job) "
                    f"(sum by (job) (mgeo:records:rate5m{{{_W}}}) > 0)",
                    "if nothing came in",
                ),
            ),
            "s",
            "Lag over the present rate. Empty while nothing is committed.",
        ),
        Panel(
            "Lag by partition",
            (Query(f"topk(20, mgeo:lag_records:partition{{{_W}}})", "{{topic}} {{partition}}"),),
            "short",
            "The twenty largest. One far above the others: a key that comes too often, or a "
            "partition that does not open.",
        ),
        Panel(
            "Records committed",
            (Query(f"mgeo:records:rate5m{{{_W}}}", "{{outcome}}"),),
            "ops",
            "Per second, by what became of them.",
        ),
        Panel(
            "Addresses committed",
            (
                Query(
                    f"sum by (spec, status) (mgeo:addresses:rate5m{{{_W}}})", "{{spec}} {{status}}"
                ),
            ),
            "ops",
            "Per second, by model and status.",
        ),
        Panel(
            "Device busy",
            (Query("mgeo:device_busy_ratio:rate5m", "{{job}} {{instance}}"),),
            "percentunit",
            "Share of the time that each device computes. Near 100 % with lag: add workers. Low "
            "with lag: something else is slow.",
        ),
        Panel(
            "P99 of parsing and waiting",
            (
                Query(f"mgeo:service_seconds:p99_5m{{{_W}}}", "parse P99"),
                Query(f"mgeo:queue_seconds:p99_5m{{{_W}}}", "wait P99"),
                Query(
                    "histogram_quantile(0.5, sum by (le) "
                    f"(rate(mgeo_service_seconds_bucket{{{_W}}}[5m])))",
                    "parse P50",
                ),
            ),
            "s",
            "Per record: from arrival at its worker to the device, from there to the result. "
            "Read from buckets that grow by 35 %.",
        ),
        Panel(
            "P99 of a transaction",
            (Query(f"mgeo:commit_seconds:p99_5m{{{_W}}}", "commit P99"),),
            "s",
            "Begin to commit: the brokers' part.",
        ),
        Panel(
            "Concurrency",
            (
                Query(
                    f"sum by (instance) (mgeo_inflight_addresses{{{_W}}})", "addresses {{instance}}"
                ),
            ),
            "short",
            "Addresses taken in and not yet committed, by worker.",
        ),
        Panel(
            "In work",
            (Query(f"sum by (instance) (mgeo_inflight_bytes{{{_W}}})", "{{instance}}"),),
            "bytes",
            "Bytes of input taken in and not yet committed.",
        ),
        Panel(
            "Partitions paused",
            (Query("sum by (job) (mgeo_paused_partitions)", "{{job}}"),),
            "none",
            "By backpressure: a worker holds as much as it may. Usual under a backlog.",
        ),
        Panel(
            "GPU utilisation",
            (
                Query(
                    "mgeo_gpu_utilisation_ratio and on (job, instance) (mgeo_gpu_memory_bytes > 0)",
                    "{{job}} {{instance}}",
                ),
            ),
            "percentunit",
            "As the driver says: any kernel counts, however small. Compare with Device busy.",
            needs="gpu",
        ),
    ),
)

_COST: Final = Row(
    "What does it cost?",
    (
        Panel(
            "Addresses per second of device",
            (
                Query(
                    f"sum(mgeo:addresses:rate5m{{{_W}}}) "
                    f"/ sum(mgeo:device_busy_ratio:rate5m{{{_W}}})",
                    "addresses",
                ),
            ),
            "short",
            "What one device gives while it computes: price of the device over this is the "
            "price of an address.",
        ),
        Panel(
            "CPU per 1000 addresses",
            (
                Query(
                    f"1000 * sum(rate(process_cpu_seconds_total{{{_W}}}[5m])) "
                    f"/ sum(mgeo:addresses:rate5m{{{_W}}})",
                    "CPU seconds",
                ),
            ),
            "s",
            "All threads of all workers.",
        ),
        Panel(
            "Memory",
            (Query('process_resident_memory_bytes{job=~"mgeo-.+"}', "{{job}} {{instance}}"),),
            "bytes",
            "Resident. Flat under any backlog.",
        ),
        Panel(
            "GPU memory",
            (Query("mgeo_gpu_memory_bytes > 0", "{{job}} {{instance}}"),),
            "bytes",
            "In use on the whole GPU, by whomever.",
            needs="gpu",
        ),
        Panel(
            "Answered from the cache",
            (
                Query(
                    f"sum(rate(mgeo_cache_hits_total{{{_W}}}[5m])) "
                    f"/ (sum(rate(mgeo_cache_hits_total{{{_W}}}[5m])) "
                    f"+ sum(rate(mgeo_cache_misses_total{{{_W}}}[5m])))",
                    "repeats",
                ),
            ),
            "percentunit",
            "Addresses that cost no device time because they had just been parsed.",
        ),
        Panel(
            "Device batches",
            (Query("sum by (job) (rate(mgeo_device_batches_total[5m]))", "{{job}}"),),
            "ops",
            "Per second.",
        ),
        Panel(
            "Batch fill and padding",
            (
                Query(
                    f"sum(rate(mgeo_batch_fill_ratio_sum{{{_W}}}[5m])) "
                    f"/ sum(rate(mgeo_batch_fill_ratio_count{{{_W}}}[5m]))",
                    "filled of the token budget",
                ),
                Query(
                    f"sum(rate(mgeo_padding_waste_ratio_sum{{{_W}}}[5m])) "
                    f"/ sum(rate(mgeo_padding_waste_ratio_count{{{_W}}}[5m]))",
                    "padding",
                ),
            ),
            "percentunit",
            "Means. Small batches under a backlog: the token budget is larger than what one "
            "poll brings. Much padding: lengths that differ widely.",
        ),
    ),
)

_GATEWAY: Final = Row(
    "Over HTTP",
    (
        Panel(
            "Requests",
            (
                Query(
                    f"sum by (route, status) (rate(mgeo_gateway_requests_total{{{_R}}}[5m]))",
                    "{{route}} {{status}}",
                ),
            ),
            "reqps",
            "Per second, by route and status.",
        ),
        Panel(
            "P99 of a request",
            (Query(f"mgeo:gateway_request_seconds:p99_5m{{{_R}}}", "{{route}}"),),
            "s",
            "From its head to the answer; those that were refused are left out.",
        ),
        Panel(
            "Problems by code",
            (Query("sum by (code) (rate(mgeo_gateway_problems_total[5m]))", "{{code}}"),),
            "ops",
            "Requests that were not done: docs/reference/errors.md.",
        ),
        Panel(
            "Requests in work",
            (
                Query("sum(mgeo_gateway_pending_addresses)", "addresses pending"),
                Query("max(mgeo_gateway_backlog_records)", "records waiting in Kafka"),
            ),
            "short",
            "What callers wait for, and what waits before the workers.",
        ),
        Panel(
            "Addresses per record",
            (
                Query(
                    "sum(rate(mgeo_gateway_record_addresses_sum[5m])) "
                    "/ sum(rate(mgeo_gateway_record_addresses_count[5m]))",
                    "mean",
                ),
            ),
            "short",
            "How many concurrent requests share one record.",
        ),
        Panel(
            "Replies",
            (
                Query("sum by (outcome) (rate(mgeo_replies_total[5m]))", "worker: {{outcome}}"),
                Query(
                    "sum by (outcome) (rate(mgeo_gateway_replies_total[5m]))",
                    "gateway: {{outcome}}",
                ),
            ),
            "ops",
            "What workers sent and what gateways made of it.",
        ),
        Panel(
            "Clients that left",
            (Query("sum(rate(mgeo_gateway_gone_clients_total[5m]))", "gone"),),
            "ops",
            "Before their answer: their own time-outs are shorter than the deadline.",
            needs="fault",
        ),
        Panel(
            "Workers that gateways see",
            (Query("max(mgeo_gateway_workers)", "workers"),),
            "none",
            "Members of the workers' group. None: requests are refused at once.",
        ),
    ),
)

OPERATORS: Final = Dashboard(
    "mgeo-operators",
    "mgeo-stream: operators",
    "Is it healthy, does it keep up, what does it cost.",
    (_HEALTHY, _KEEPING_UP, _COST, _GATEWAY),
)
"""For whoever runs it."""
