"""Alerts about processes of any role: gone, restarting, misled, or losing their certificates."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.rules import Alert, Severity
from deploy.monitoring.settings import ObjectiveSettings


def alerts(objectives: ObjectiveSettings) -> tuple[Alert, ...]:
    """The alerts with these objectives in them."""
    return (
        *_PROCESSES,
        _certificate(
            "MgeoCertificateEndsSoon",
            objectives.alert_certificate_soon_h,
            "1h",
            "warning",
            "Connections to Kafka are refused from then on. Renew it; services read a new file and "
            "the brokers' new certificate within an hour.",
        ),
        _certificate(
            "MgeoCertificateEndsNow",
            objectives.alert_certificate_now_h,
            "0m",
            "critical",
            "Connections to Kafka are refused from then on, and those that break are not made "
            "again: publishing, parsing and rollouts stop. Renew it now.",
        ),
    )


def _certificate(
    name: str, hours: int, lasting: str, severity: Severity, description: str
) -> Alert:
    return Alert(
        name,
        "min by (certificate) (mgeo_certificate_expiry_timestamp_seconds) - time() "
        f"< {hours * 60 * 60}",
        lasting,
        severity,
        "The {{ $labels.certificate }} certificate ends in {{ $value | humanizeDuration }}",
        description,
    )


_PROCESSES: Final = (
    Alert(
        "MgeoAlertingAlive",
        "vector(1)",
        "0m",
        "none",
        "Alerting works",
        "Fires always. Route it to something that tells you when it stops coming: then "
        "Prometheus or Alertmanager is down and none of the others can reach you.",
    ),
    Alert(
        "MgeoTargetDown",
        'up{job=~"mgeo-.+"} == 0',
        "5m",
        "warning",
        "{{ $labels.job }} at {{ $labels.instance }} does not answer",
        "Its /metrics cannot be scraped. See whether the process runs and its port is reachable "
        "from Prometheus; if it runs, its log says why it does not answer.",
    ),
    Alert(
        "MgeoRestarting",
        'changes(process_start_time_seconds{job=~"mgeo-.+"}[30m]) > 3',
        "0m",
        "warning",
        "{{ $labels.job }} at {{ $labels.instance }} keeps restarting",
        "Four starts or more within half an hour. The last lines of the process's log before "
        "each end name an error code.",
    ),
    Alert(
        "MgeoControlRecordCorrupt",
        "sum by (job, code) (increase(mgeo_control_errors_total[15m])) > 0 "
        "or sum by (job, code) (mgeo_control_errors_total "
        "and on (job, instance) (time() - process_start_time_seconds < 900)) > 0",
        "0m",
        "critical",
        "{{ $labels.job }} found a control record it cannot use: {{ $labels.code }}",
        "The last good state stays in force and serving goes on, but no later decision may "
        "reach this process. control_corrupt: somebody else wrote to the control topic. "
        "control_from_the_future: upgrade this process.",
    ),
)
