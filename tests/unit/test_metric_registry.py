"""Metrics are those of the list, and nothing else."""

from __future__ import annotations

import itertools

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from contracts.metrics import ALL_METRICS, LATENCY_BUCKETS_S, Metrics


def test_every_metric_of_the_list_is_exposed() -> None:
    registry = CollectorRegistry()
    Metrics(ALL_METRICS, registry)

    shown = generate_latest(registry).decode()

    for spec in ALL_METRICS:
        name = f"{spec.name}_total" if spec.kind == "counter" else spec.name
        assert f"# TYPE {name} {spec.kind}\n" in shown
        assert f"# HELP {name} {spec.help}\n" in shown


def test_a_metric_counts_under_its_labels() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(ALL_METRICS, registry)

    metrics.counter("mgeo_dead_letters").labels(code="not_json").inc(2)

    assert registry.get_sample_value("mgeo_dead_letters_total", {"code": "not_json"}) == 2.0


def test_a_name_that_is_not_in_the_list_is_refused() -> None:
    metrics = Metrics(ALL_METRICS, CollectorRegistry())

    for lookup in (metrics.counter, metrics.gauge, metrics.histogram):
        with pytest.raises(KeyError):
            lookup("mgeo_invented")


def test_a_quantile_is_read_from_the_buckets_within_35_percent() -> None:
    assert LATENCY_BUCKETS_S[0] <= 0.0005
    assert LATENCY_BUCKETS_S[-1] >= 10
    steps = [b / a for a, b in itertools.pairwise(LATENCY_BUCKETS_S)]
    assert max(steps) <= 1.351
