"""Rules and panels ask only for what is there, and everything that is there is shown."""

from __future__ import annotations

import re

import pytest

from contracts.metrics import ALL_METRICS
from deploy.monitoring.alerts import alert_groups
from deploy.monitoring.grafana import dashboard_document
from deploy.monitoring.panels import DASHBOARDS, NOT_SHOWN
from deploy.monitoring.rules import RECORDINGS
from deploy.monitoring.settings import ObjectiveSettings
from tests.oracles.promql import Reader, WrongExpressionError

ALERTS = [alert for group in alert_groups(ObjectiveSettings()).values() for alert in group]
PANELS = [
    pytest.param(panel, id=f"{dashboard.uid}: {panel.title}")
    for dashboard in DASHBOARDS
    for row in dashboard.rows
    for panel in row.panels
]


def reader() -> Reader:
    """One that knows all recording rules."""
    made = Reader()
    for rule in RECORDINGS:
        made.record(rule.record, rule.expr)
    return made


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_asks_for_what_is_there(alert) -> None:
    labels = reader().labels(alert.expr)
    for used in re.findall(r"\$labels\.(\w+)", alert.summary + alert.description):
        assert used in labels


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_what_is_there(panel) -> None:
    for query in panel.queries:
        labels = reader().labels(query.expr)
        assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= labels, query.legend


def test_every_recording_is_used() -> None:
    texts = [alert.expr for alert in ALERTS]
    texts += [query.expr for panel in PANELS for query in panel.values[0].queries]
    texts += [rule.expr for rule in RECORDINGS]
    for rule in RECORDINGS:
        assert any(rule.record in text for text in texts), rule.record


def test_every_metric_is_on_a_panel_or_left_out_for_a_reason() -> None:
    read = reader()
    recorded = {rule.record: rule.expr for rule in RECORDINGS}
    read.used.clear()
    for panel in PANELS:
        for query in panel.values[0].queries:
            read.labels(query.expr)
            for name in recorded:
                if name in query.expr:
                    read.labels(recorded[name])
    names = {spec.name for spec in ALL_METRICS}
    assert read.used | set(NOT_SHOWN) >= names, names - read.used - set(NOT_SHOWN)
    assert not read.used & set(NOT_SHOWN)
    assert set(NOT_SHOWN) <= names
    assert all(NOT_SHOWN.values())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("mgeo_worker_redy", "no metric"),
        ("rate(mgeo_dead_letters[5m])", "no metric"),
        ('mgeo_lanes{status="open"}', "no label"),
        ('mgeo_lanes{state="opened"}', "never"),
        ('up{job="mgeo-workers"}', "never"),
        ('mgeo:rollout_phase{phase=~"BAKING|BAKED"}', "never like"),
        ("sum by (spec) (mgeo_lanes)", "by labels"),
        ("rate(mgeo_worker_ready[5m])", "rate of"),
        ("deriv(mgeo_fencings_total[5m])", "rate of"),
        ("histogram_quantile(0.9, sum by (job) (rate(mgeo_queue_seconds_bucket[5m])))", "no le"),
        ("mgeo_worker_ready / mgeo_lanes", "never match"),
        ("mgeo_worker_ready and on (state) mgeo_lanes", "on labels"),
    ],
)
def test_a_wrong_expression_is_noticed(wrong: str, why: str) -> None:
    with pytest.raises(WrongExpressionError, match=why):
        reader().labels(wrong)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_panels_have_their_own_place_and_number(dashboard) -> None:
    document = dashboard_document(dashboard)
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in document["panels"]]
    assert len(set(numbers)) == len(numbers)
    for expression in (one["expr"] for one in document["annotations"]["list"]):
        reader().labels(expression)
