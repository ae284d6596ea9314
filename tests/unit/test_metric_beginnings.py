"""A counter that an alert is about is there, at zero, before anything has happened."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest

from consumer.stream import telemetry as worker
from contracts.phases import Phase
from rollout.controller.plan import Plan, alerted
from rollout.controller.telemetry import Telemetry
from rollout.stages import TABLE, Cause
from tests.models import instant

NOW = datetime(2026, 11, 25, tzinfo=UTC)


class Probe:
    """Nobody asks."""

    def beat(self) -> None: ...

    def waiting_for(self, what: str) -> None: ...

    def ready(self) -> None: ...


def test_a_workers_outcomes_begin_with_zero() -> None:
    registry = CollectorRegistry()
    worker.Telemetry(registry, token_budget=64)
    for labels in ({"outcome": "dead_letter"}, {"outcome": "parsed"}):
        assert registry.get_sample_value("mgeo_records_total", labels) == 0
    assert registry.get_sample_value("mgeo_transactions_total", {"outcome": "lost"}) == 0
    assert registry.get_sample_value("mgeo_control_errors_total", {"code": "control_corrupt"}) == 0


def test_a_controllers_moves_begin_with_zero_and_count_by_cause() -> None:
    registry = CollectorRegistry()
    telemetry = Telemetry(registry, Probe())
    for move in TABLE:
        assert moves(registry, move.target, move.cause) == 0

    state = instant.state()
    back = (Phase.ROLLING_BACK, Cause.ALARMED)
    telemetry.written(Plan(state, moves=(back,)))
    assert moves(registry, *back) == 1
    assert moves(registry, Phase.ROLLING_BACK, Cause.ROLLBACK) == 0
    telemetry.written(alerted(state, NOW, "look at this"))
    assert registry.get_sample_value("mgeo_controller_audit_alerts_total") == 1


def test_a_controller_that_no_longer_leads_shows_no_phase() -> None:
    registry = CollectorRegistry()
    telemetry = Telemetry(registry, Probe())
    telemetry.leading(True)
    telemetry.show(instant.state(), NOW)
    assert "mgeo_controller_phase{" in generate_latest(registry).decode()
    telemetry.leading(False)
    assert "mgeo_controller_phase{" not in generate_latest(registry).decode()
    assert registry.get_sample_value("mgeo_controller_leader") == 0


def test_a_controller_shows_its_memory() -> None:
    registry = CollectorRegistry()
    Telemetry(registry, Probe())
    assert (registry.get_sample_value("process_resident_memory_bytes") or 0) > 1e6


def moves(registry: CollectorRegistry, phase: Phase, cause: Cause) -> float | None:
    return registry.get_sample_value(
        "mgeo_controller_moves_total", {"phase": phase.value, "cause": cause.value}
    )
