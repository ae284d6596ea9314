"""Every alert, by group. What is told about, when, and how loudly; the pages are the runbooks."""

from __future__ import annotations

from deploy.monitoring.alerts import gateway, rollouts, services, workers
from deploy.monitoring.rules import Alert
from deploy.monitoring.settings import ObjectiveSettings

__all__ = ["alert_groups"]


def alert_groups(objectives: ObjectiveSettings) -> dict[str, tuple[Alert, ...]]:
    """Group name to its alerts, with these objectives written into them."""
    return {
        "mgeo-services": services.alerts(objectives),
        "mgeo-workers": workers.alerts(objectives),
        "mgeo-rollouts": rollouts.alerts(objectives),
        "mgeo-gateway": gateway.alerts(objectives),
    }
