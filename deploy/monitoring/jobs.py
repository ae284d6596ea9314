"""What Prometheus scrapes: a job for each role of the program, as data.

Rules and panels choose by the label ``job``: whoever scrapes otherwise (pods by their labels)
has to give these names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Job:
    """One role.

    Attributes:
        name: the label ``job``.
        port: of ``/metrics``, by default.
        command: what is scraped.
    """

    name: str
    port: int
    command: str


WORKER: Final = Job("mgeo-worker", 9464, "mgeo worker")
SHADOW: Final = Job("mgeo-shadow", 9466, "mgeo worker --role shadow --port 9466")
CONTROLLER: Final = Job("mgeo-controller", 9465, "mgeo rollout controller")
GATEWAY: Final = Job("mgeo-gateway", 8000, "mgeo gateway")

JOBS: Final = (WORKER, SHADOW, CONTROLLER, GATEWAY)
"""All of them."""

SCRAPE_INTERVAL: Final = "15s"
"""How often; a range in a rule is at least four times as long."""
