"""Prometheus's own files: the rules, and what it scrapes on one machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deploy.monitoring.alerts import alert_groups
from deploy.monitoring.jobs import JOBS, SCRAPE_INTERVAL, Job
from deploy.monitoring.rules import RECORDINGS, Alert
from deploy.monitoring.settings import ObjectiveSettings

RULES_FILE = "rules/mgeo.yml"
"""Beside ``prometheus.yml``."""


def rules_document(objectives: ObjectiveSettings) -> dict[str, Any]:
    """Recording and alerting rules, as Prometheus reads them."""
    recordings = [{"record": one.record, "expr": one.expr} for one in RECORDINGS]
    groups = [{"name": "mgeo-recordings", "interval": SCRAPE_INTERVAL, "rules": recordings}]
    for name, alerts in alert_groups(objectives).items():
        rules = [_rule(alert, objectives.runbook_base_url) for alert in alerts]
        groups.append({"name": name, "interval": SCRAPE_INTERVAL, "rules": rules})
    return {"groups": groups}


def on_this_machine(job: Job) -> dict[str, Any]:
    """Where a job with its default port is found, beside Prometheus."""
    return {"static_configs": [{"targets": [f"127.0.0.1:{job.port}"]}]}


def scrape_document(
    find: Callable[[Job], dict[str, Any]] = on_this_machine,
    alertmanager: str | None = "127.0.0.1:9093",
) -> dict[str, Any]:
    """``prometheus.yml``.

    Args:
        find: how the targets of a job are found, as a scrape configuration says it.
        alertmanager: ``host:port`` that alerts go to; None: they are shown and go nowhere.
    """
    alerting = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return {
        "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": SCRAPE_INTERVAL},
        "rule_files": [RULES_FILE],
        **({} if alertmanager is None else {"alerting": alerting}),
        "scrape_configs": [{"job_name": job.name, **find(job)} for job in JOBS],
    }


def _rule(alert: Alert, runbooks: str) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({} if alert.lasting == "0m" else {"for": alert.lasting}),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{runbooks.rstrip('/')}/{alert.name}.md",
        },
    }
