"""Every act, the alerts that none can bring about here, and the panels that stay empty here.

A new alert needs an act that brings it about by its real cause, or a line in ``UNOBTAINABLE``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from deploy.monitoring.drill.acts import gateway, panels, rollouts, services, workers
from deploy.monitoring.drill.acts.act import Act

__all__ = ["ABSENT", "ACTS", "LOAD", "UNOBTAINABLE", "Act", "uncovered"]

ACTS: Final[tuple[Act, ...]] = (
    *panels.ACTS,
    *services.ACTS,
    *workers.ACTS,
    *gateway.ACTS,
    *rollouts.ACTS,
)
"""In the order in which they are played."""

LOAD: Final = panels.ACTS[0].name
"""The act without a fault: idle, busy, idle again."""

UNOBTAINABLE: Final[dict[str, str]] = {}
"""Alerts whose cause cannot be had on one machine: the reason, and the nearest thing done."""

ABSENT: Final = {
    "mgeo-operators: GPU utilisation": "there is no GPU",
    "mgeo-operators: GPU memory": "there is no GPU",
}
"""Panels that show nothing on a machine without the hardware."""


def uncovered(alerts: Iterable[str]) -> list[str]:
    """Alerts that no act brings about and that are not said to be out of reach."""
    played = {name for act in ACTS for name in act.alerts}
    return sorted(set(alerts) - played - set(UNOBTAINABLE))
