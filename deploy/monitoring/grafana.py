"""Grafana's files: dashboards as JSON, and what provisions them with their data source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from deploy.monitoring.panels.panel import Dashboard, Panel

_SCHEMA_VERSION: Final = 39  # Grafana 11; later ones migrate it as they load it
_COLUMNS: Final = 24
_HEIGHT: Final = {"timeseries": 8, "stat": 4, "state-timeline": 6, "table": 8}
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


def dashboard_document(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard, as Grafana imports it. The same text every time."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in dashboard.rows:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
                "panels": [],
            }
        )
        places, y = _placed(row.panels, y + 1)
        for panel, place in zip(row.panels, places, strict=True):
            panels.append(_panel(panel, len(panels) + 1, place))
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.meaning,
        "tags": ["mgeo-stream"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "",
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                    "refresh": 1,
                }
            ]
        },
        "annotations": {
            "list": [
                {
                    "name": "Moves of rollouts",
                    "datasource": _SOURCE,
                    "enable": True,
                    "iconColor": "purple",
                    "expr": "sum by (phase, cause) (increase(mgeo_controller_moves_total[1m])) > 0",
                    "titleFormat": "{{phase}}",
                    "textFormat": "{{cause}}",
                    "step": "30s",
                }
            ]
        },
        "links": [
            {
                "type": "dashboards",
                "tags": ["mgeo-stream"],
                "title": "mgeo-stream",
                "asDropdown": False,
                "keepTime": True,
            }
        ],
        "panels": panels,
    }


def source_document(url: str = "http://127.0.0.1:9090") -> dict[str, Any]:
    """Provisions the data source: Prometheus at this address, by default on this machine."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "mgeo-prometheus",
                "uid": "mgeo-prometheus",
                "type": "prometheus",
                "access": "proxy",
                "url": url,
                "isDefault": True,
                "jsonData": {"timeInterval": "15s"},
            }
        ],
    }


def provider_document() -> dict[str, Any]:
    """Provisions the dashboards from a folder."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "mgeo-stream",
                "folder": "mgeo-stream",
                "type": "file",
                "allowUiUpdates": False,
                "options": {"path": "/etc/grafana/dashboards/mgeo-stream"},
            }
        ],
    }


def _placed(panels: Sequence[Panel], y: int) -> tuple[list[dict[str, int]], int]:
    """A place for each panel, line by line, and the first free line below them."""
    places: list[dict[str, int]] = []
    x = tallest = 0
    for panel in panels:
        if x + panel.width > _COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        height = _HEIGHT[panel.shape]
        places.append({"x": x, "y": y, "w": panel.width, "h": height})
        x, tallest = x + panel.width, max(tallest, height)
    return places, y + tallest


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    table = panel.shape == "table"
    needs = {"gpu": " Needs a GPU.", "tls": " Needs TLS to Kafka.", "fault": "", None: ""}
    return {
        "id": number,
        "type": panel.shape,
        "title": panel.title,
        "description": panel.meaning + needs[panel.needs],
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": table,
                "range": not table,
                **({"format": "table"} if table else {}),
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.shape == "timeseries":
        defaults["min"] = None if "evidence" in panel.title else 0
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    return defaults


def _options(panel: Panel) -> dict[str, Any]:
    if panel.shape == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if panel.shape == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "textMode": "value_and_name",
        }
    if panel.shape == "state-timeline":
        return {"showValue": "never", "mergeValues": True}
    return {"showHeader": True}
