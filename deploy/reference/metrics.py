"""The page of metrics, from ``contracts.metrics``."""

from __future__ import annotations

from contracts.metrics import ALL_METRICS, MetricSpec
from deploy.reference.markdown import table

_UNITS = {"_seconds": "seconds", "_bytes": "bytes", "_ratio": "0 to 1"}


def metrics_page() -> str:
    """Every metric as Prometheus shows it."""
    return (
        "# Metrics\n\n"
        "Served at `/metrics` beside the Prometheus client's own `process_*` metrics, memory "
        "among them. No label holds text that a publisher wrote.\n\n"
        + table(
            ("metric", "kind", "unit", "labels", "meaning"),
            (
                (
                    f"`{shown_name(spec)}`",
                    spec.kind,
                    _unit(spec),
                    ", ".join(f"`{label}`" for label in spec.labels) or "–",
                    spec.help + ".",
                )
                for spec in ALL_METRICS
            ),
        )
    )


def shown_name(spec: MetricSpec) -> str:
    """The name in Prometheus: the client ends a counter's name with ``_total``."""
    return f"{spec.name}_total" if spec.kind == "counter" else spec.name


def _unit(spec: MetricSpec) -> str:
    for ending, unit in _UNITS.items():
        if spec.name.endswith(ending):
            return unit
    return "count"
