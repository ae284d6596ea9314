"""A drill's rules are the product's, with durations divided and nothing else."""

from __future__ import annotations

import re

from deploy.monitoring.drill.shortened import shorter, shorter_expression, shorter_rules
from deploy.monitoring.prometheus import rules_document
from deploy.monitoring.settings import ObjectiveSettings


def test_durations_are_divided_and_never_nothing() -> None:
    assert shorter("10m", 10) == "60s"
    assert shorter("4h", 10) == "1440s"
    assert shorter("2s", 10) == "1s"


def test_thresholds_and_labels_stay() -> None:
    expression = 'sum(increase(x_total{route="5m"}[10m] offset 10m)) > 300'
    assert shorter_expression(expression, 10) == (
        'sum(increase(x_total{route="5m"}[60s] offset 60s)) > 300'
    )


def test_a_range_is_never_too_short_to_hold_scrapes() -> None:
    assert shorter_expression("rate(x_total[2m])", 60) == "rate(x_total[8s])"


def test_the_age_below_which_a_process_is_young_is_a_duration_too() -> None:
    expression = "x_total and on (job) (time() - process_start_time_seconds < 3600)"
    assert shorter_expression(expression, 60).endswith("(time() - process_start_time_seconds < 60)")


def test_no_range_is_forgotten() -> None:
    rules = rules_document(ObjectiveSettings())
    short = shorter_rules(rules, 10, interval="2s")
    for before, after in zip(rules["groups"], short["groups"], strict=True):
        for long, brief in zip(before["rules"], after["rules"], strict=True):
            assert not re.search(r"\[\d+[mh]\]|offset \d+[mh]", brief["expr"])
            assert long.get("alert") == brief.get("alert")
            assert ("for" in long) == ("for" in brief)
