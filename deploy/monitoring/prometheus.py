"""Prometheus's own files: the rules, and what it scrapes on one machine."""

from __future__ import annotations

from typing import Any

from deploy.monitoring.alerts import alert_groups
from deploy.monitoring.jobs import JOBS, SCRAPE_INTERVAL
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


def scrape_document() -> dict[str, Any]:
    """``prometheus.yml`` for services that run with their default ports on one machine."""
    return {
        "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": SCRAPE_INTERVAL},
        "rule_files": [RULES_FILE],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}],
        },
        "scrape_configs": [
            {
                "job_name": job.name,
                "static_configs": [{"targets": [f"127.0.0.1:{job.port}"]}],
            }
            for job in JOBS
        ],
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
