"""Every dashboard, and the metrics that are on none, each with the reason."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.panels.operators import OPERATORS
from deploy.monitoring.panels.rollouts import ROLLOUTS

__all__ = ["DASHBOARDS", "NOT_SHOWN"]

DASHBOARDS: Final = (OPERATORS, ROLLOUTS)
"""In the order in which people open them."""

NOT_SHOWN: Final = {
    "mgeo_controller_loop_silent_seconds": "a fraction of a second while all is well; the alerts "
    "about leaders count one whose loop hangs as none",
    "mgeo_device_idle_seconds": "the rest of the time: mgeo_device_busy_seconds says the same, "
    "and also while no batch comes that would end the idling",
}
"""Metrics that no panel shows."""
