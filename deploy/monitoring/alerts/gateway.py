"""Alerts about the gateway: what callers over HTTP would notice."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.rules import Alert
from deploy.monitoring.settings import ObjectiveSettings

_READY: Final = 'mgeo_gateway_ready{job="mgeo-gateway"}'


def alerts(objectives: ObjectiveSettings) -> tuple[Alert, ...]:
    """The alerts with these objectives in them."""
    share = objectives.objective_error_share
    requests = 'mgeo_gateway_requests_total{route=~"/parse|/parse/batch|/events"'
    return (
        Alert(
            "MgeoGatewayNotReady",
            # Of two colours one may serve while the other is ready. Where none answers any more,
            # nothing says so but that there was one: whoever runs no gateway is left in peace.
            f"sum by (version) ({_READY}) == 0 "
            f"or (0 * count(last_over_time({_READY}[1d])) unless on () {_READY})",
            "2m",
            "critical",
            "No gateway {{ with $labels.version }}of {{ . }} {{ end }}takes requests",
            "Callers get 503, or nothing. A gateway's /readyz says what it waits for: the broker "
            "and its topics, or a first control record; where none answers, see what ended them.",
        ),
        Alert(
            "MgeoGatewayErrors",
            f'sum(rate({requests},status=~"5.."}}[10m])) '
            f"/ sum(rate({requests}}}[10m])) > {share} "
            f"and sum(increase({requests}}}[10m])) > 20",
            "5m",
            "critical",
            "{{ $value | humanizePercentage }} of the requests fail",
            "The panel of problems has the codes: no_workers and backend_unreachable are of the "
            "stream behind, deadline_exceeded of its speed, internal_error of the gateway.",
        ),
        Alert(
            "MgeoGatewayShedding",
            f'sum(rate({requests},status="429"}}[10m])) / sum(rate({requests}}}[10m])) > 0.05',
            "10m",
            "warning",
            "{{ $value | humanizePercentage }} of the requests are turned away",
            "More comes in than is parsed within the bound on what waits. Add workers, or ask "
            "who is calling.",
        ),
        Alert(
            "MgeoGatewaySlow",
            f"mgeo:gateway_request_seconds:p99_5m > {objectives.objective_request_p99_ms / 1e3:g}",
            "10m",
            "warning",
            "P99 of {{ $labels.route }} is {{ $value | humanizeDuration }}",
            "Over the objective. Compare with the workers' queue and service times: the larger "
            "part is theirs, or the way through Kafka.",
        ),
        Alert(
            "MgeoRepliesUnreadable",
            # Not the foreign ones: gateways may share a partition of the replies, and then each
            # reads all of the others'.
            'sum(increase(mgeo_gateway_replies_total{outcome="unreadable"}[15m])) > 10',
            "0m",
            "warning",
            "Replies arrive that cannot be read",
            "Whoever waited for them gets an error although the result is committed. A worker of "
            "another release replies, or somebody else writes to the topic of replies.",
        ),
    )
