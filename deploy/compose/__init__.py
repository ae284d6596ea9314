"""Prometheus and Grafana of the Compose file, written from the same data as ``deploy.monitoring``.

Rules and dashboards are that folder's own files; only where things are found is told anew here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from deploy.monitoring import as_yaml
from deploy.monitoring.grafana import source_document
from deploy.monitoring.jobs import CONTROLLER, GATEWAY, SHADOW, WORKER, Job
from deploy.monitoring.prometheus import scrape_document

__all__ = ["COMMAND", "DIRECTORY", "SERVICES", "files", "write"]

DIRECTORY: Final = Path(__file__).parent
COMMAND: Final = "python -m deploy.compose"

SERVICES: Final = {WORKER: "worker", SHADOW: "shadow", CONTROLLER: "controller", GATEWAY: "gateway"}
"""What each role is called in the Compose file; on its network that is a host name, too."""

_REFRESH: Final = "10s"


def files() -> dict[str, str]:
    """File name, below the folder, to content. The same text every time."""
    documents = {
        "prometheus.yml": scrape_document(_by_name, alertmanager=None),
        "grafana-datasources/mgeo.yml": source_document("http://prometheus:9090"),
    }
    return {name: as_yaml(document, COMMAND) for name, document in documents.items()}


def write(directory: Path = DIRECTORY) -> None:
    """Write every file."""
    for name, content in files().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _by_name(job: Job) -> dict[str, Any]:
    """The service's name has an address for each of its containers, however many there are."""
    found = {"names": [SERVICES[job]], "type": "A", "port": job.port, "refresh_interval": _REFRESH}
    return {"dns_sd_configs": [found]}
