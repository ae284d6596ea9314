"""A counter that an alert is about is there, at zero, before anything has happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest

from consumer.service.replier import Replier
from consumer.service.worker import Worker
from consumer.stream import telemetry as worker
from consumer.stream.roles import stable_role
from contracts.examples import ROLLOUT_STATE
from contracts.limits import Limits
from contracts.metrics import WORKER_METRICS, Metrics
from contracts.phases import Phase
from contracts.rollout import Replay
from contracts.settings import KafkaSettings
from producer.gateway.service import Gateway
from producer.gateway.settings import GatewaySettings
from rollout.controller.plan import Plan, alerted
from rollout.controller.telemetry import Telemetry
from rollout.stages import TABLE, Cause
from tests.models import instant
from tests.streams.worker import settings_for_tests

NOW = datetime(2026, 11, 25, tzinfo=UTC)


class Probe:
    """Nobody asks."""

    silent_s = 0.0

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


def test_what_becomes_of_replies_begins_with_zero() -> None:
    registry = CollectorRegistry()
    Replier("replies", {}, Metrics(WORKER_METRICS, registry))
    assert registry.get_sample_value("mgeo_replies_total", {"outcome": "failed"}) == 0
    gateway = Gateway(GatewaySettings(), KafkaSettings(), Limits())
    shown = gateway.metrics.registry.get_sample_value(
        "mgeo_gateway_replies_total", {"outcome": "unreadable"}
    )
    assert shown == 0


def test_a_worker_whose_event_loop_hangs_is_not_shown_as_ready() -> None:
    registry, kafka = CollectorRegistry(), KafkaSettings()
    made = Worker(
        settings_for_tests(),
        kafka,
        stable_role(kafka.names, Limits()),
        load=instant.InstantModel,
        registry=registry,
    )
    assert registry.get_sample_value("mgeo_worker_ready") == 0
    made._health.ready()
    assert registry.get_sample_value("mgeo_worker_ready") == 1
    made._health._beat_at -= 60  # nobody has beaten since
    assert registry.get_sample_value("mgeo_worker_ready") == 0


def test_the_age_of_the_evidence_is_that_of_its_newest_input_and_not_that_of_the_last_look() -> (
    None
):
    registry = CollectorRegistry()
    telemetry = Telemetry(registry, Probe())
    rollout = ROLLOUT_STATE.rollout
    assert rollout is not None
    assert rollout.judgement is not None
    newest_ms = rollout.judgement.accounting.newest_input_ms
    assert newest_ms is not None
    now = datetime.fromtimestamp(newest_ms / 1000 + 90, UTC)

    def shown(**changes: object) -> float | None:
        changed = rollout.model_copy(update=changes)
        telemetry.show(ROLLOUT_STATE.model_copy(update={"rollout": changed}), now)
        return registry.get_sample_value("mgeo_controller_evidence_age_seconds")

    assert shown() == 90
    began = now - timedelta(seconds=40)
    assert shown(judgement=None, shadowing_since=began.isoformat()) == 40
    replay = Replay(asked="24h", until={})
    looked = now - timedelta(seconds=5)
    cut = rollout.cut.model_copy(update={"at": looked.isoformat()}) if rollout.cut else None
    assert shown(replay=replay, cut=cut) == 5


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
