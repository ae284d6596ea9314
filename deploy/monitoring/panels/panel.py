"""What a panel is. Data: Grafana's JSON is made of it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["timeseries", "stat", "state-timeline", "table"]
Unit = Literal["short", "percentunit", "s", "bytes", "ops", "reqps", "dateTimeFromNow", "d", "none"]
Needs = Literal["gpu", "tls", "fault"]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and what its lines are called (Grafana's ``{{label}}``)."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        queries: PromQL.
        unit: Grafana's name of the unit.
        meaning: how to read it, shown at the panel's corner.
        shape: of Grafana's panels.
        width: of 24.
        needs: what must be there for it to show anything: a GPU, TLS to Kafka, or a fault.
    """

    title: str
    queries: tuple[Query, ...]
    unit: Unit
    meaning: str
    shape: Shape = "timeseries"
    width: int = 8
    needs: Needs | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard; ``uid`` stays the same for ever, links rest on it."""

    uid: str
    title: str
    meaning: str
    rows: tuple[Row, ...]


def by_model(expr: str) -> str:
    """The same with ``model``, VERSION@precision: some metrics say the whole key of a spec."""
    return f'label_replace({expr}, "model", "$1", "spec", "([^+]+).*")'
