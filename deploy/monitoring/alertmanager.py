"""An Alertmanager configuration to start from: who is told, and what keeps what quiet."""

from __future__ import annotations

from typing import Any, Final

_QUIET: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "MgeoNoReadyWorker",
        ("MgeoWorkerNotReady", "MgeoStalled", "MgeoLagGrowing", "MgeoGatewayErrors"),
    ),
    ("MgeoStalled", ("MgeoLagGrowing", "MgeoDeviceIdleWithLag", "MgeoServiceSlow")),
    ("MgeoNoLeaderWhileServing", ("MgeoNoLeader",)),
    ("MgeoBakeAlarm", ("MgeoRolloutFailed",)),
    ("MgeoRolloutRefused", ("MgeoRolloutHeld",)),
    ("MgeoCertificateEndsNow", ("MgeoCertificateEndsSoon",)),
    ("MgeoGatewayNotReady", ("MgeoGatewayErrors",)),
)
"""While the first fires, the others say nothing new."""


def alertmanager_document() -> dict[str, Any]:
    """``alertmanager.yml`` with webhooks to be replaced."""
    return {
        "route": {
            "receiver": "tickets",
            "group_by": ["alertname", "job"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [
                {
                    "matchers": ['alertname="MgeoAlertingAlive"'],
                    "receiver": "dead-mans-switch",
                    "group_wait": "10s",
                    "group_interval": "1m",
                    "repeat_interval": "1m",
                },
                {
                    "matchers": ['severity="critical"'],
                    "receiver": "pager",
                    "repeat_interval": "1h",
                },
                {"matchers": ['severity="info"'], "receiver": "chat", "repeat_interval": "3d"},
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{source}"'],
                "target_matchers": [f'alertname=~"{"|".join(targets)}"'],
            }
            for source, targets in _QUIET
        ],
        "receivers": [
            _webhook("pager"),
            _webhook("tickets"),
            _webhook("chat"),
            _webhook("dead-mans-switch", resolved=False),
        ],
    }


def _webhook(name: str, *, resolved: bool = True) -> dict[str, Any]:
    url = f"http://127.0.0.1:9095/{name}"
    return {"name": name, "webhook_configs": [{"url": url, "send_resolved": resolved}]}
