"""``python -m deploy.compose``: write the committed Prometheus and Grafana files anew."""

from __future__ import annotations

from deploy.compose import write

if __name__ == "__main__":
    write()
