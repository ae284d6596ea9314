"""The controller's metrics and probe: told by the shell, never asked for a decision."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client import Counter as CounterMetric

from contracts.control import UNUSABLE, RolloutState
from contracts.metrics import CONTROLLER_METRICS, Metrics
from contracts.phases import Phase
from contracts.rollout import Rollout
from rollout.controller.plan import Plan
from rollout.controller.timing import since
from rollout.stages import TABLE, Cause


class Probe(Protocol):
    """What ``/livez`` and ``/readyz`` answer from; handed in by whoever serves them."""

    @property
    def silent_s(self) -> float:
        """Seconds since the event loop last turned."""
        ...

    def beat(self) -> None:
        """The event loop turns."""
        ...

    def waiting_for(self, what: str) -> None:
        """Not ready, because of this."""
        ...

    def ready(self) -> None:
        """Ready: in the group, as leader or as standby."""
        ...


class Telemetry:
    """Everything that the controller shows.

    Args:
        registry: where the metrics are registered.
        probe: of the process.
    """

    def __init__(self, registry: CollectorRegistry, probe: Probe) -> None:
        self._metrics = Metrics(CONTROLLER_METRICS, registry)
        self._probe = probe
        # Asked when it is scraped, from another thread: a loop that hangs tells nothing itself.
        silent = self._metrics.gauge("mgeo_controller_loop_silent_seconds")
        silent.set_function(lambda: probe.silent_s)
        # A series that begins with its first event has no increase to show for it.
        for code in UNUSABLE:
            self._metrics.counter("mgeo_control_errors").labels(code=code)
        for move in TABLE:
            self._moves(move.target, move.cause)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def beat(self) -> None:
        """The event loop turns."""
        self._probe.beat()

    def waiting(self, what: str) -> None:
        """Not ready, because of this."""
        self._probe.waiting_for(what)

    def joined(self) -> None:
        """In the group."""
        self._probe.ready()

    def leading(self, yes: bool) -> None:
        """Whether this process leads."""
        self._metrics.gauge("mgeo_controller_leader").set(yes)
        if yes:
            self._probe.ready()
            return
        # What another leads from now on, this one does not know.
        for name in ("phase", "gate_value", "gate_log_e"):
            self._metrics.gauge(f"mgeo_controller_{name}").clear()

    def unusable(self, codes: Counter[str]) -> None:
        """Control records that could not be used."""
        for code, count in codes.items():
            self._metrics.counter("mgeo_control_errors").labels(code=code).inc(count)

    def written(self, plan: Plan) -> None:
        """A transaction went through."""
        for phase, cause in plan.moves:
            self._moves(phase, cause).inc()
        alerts = sum(record.kind == "alert" for record in plan.audit)
        self._metrics.counter("mgeo_controller_audit_alerts").inc(alerts)

    def certificate(self, which: str, ends_at: float) -> None:
        """When a certificate that Kafka is reached with ends, in seconds of Unix time."""
        ends = self._metrics.gauge("mgeo_certificate_expiry_timestamp_seconds")
        ends.labels(certificate=which).set(ends_at)

    def evidence_failed(self) -> None:
        """The evidence could not be read; it is tried again."""
        self._metrics.counter("mgeo_controller_evidence_errors").inc()

    def differs(self) -> None:
        """A recorded cut came out otherwise when it was folded again."""
        self._metrics.counter("mgeo_controller_refolds_differing").inc()

    def show(self, state: RolloutState, now: datetime) -> None:
        """The state that stands."""
        gauge = self._metrics.gauge
        gauge("mgeo_controller_revision").set(state.revision)
        gauge("mgeo_controller_serving_epoch").set(state.serving.serving_epoch)
        gauge("mgeo_controller_paused").set(state.paused)
        for phase in Phase:
            gauge("mgeo_controller_phase").labels(phase=phase.value).set(state.phase == phase)
        rollout = state.rollout
        if rollout is None:
            return
        gauge("mgeo_controller_unadopted_partitions").set(
            len(rollout.waiting_for) + len(rollout.waiting_interactive)
        )
        gauge("mgeo_controller_refusing_partitions").set(len(rollout.refusals))
        if rollout.cut is not None:
            gauge("mgeo_controller_cut_age_seconds").set(since(rollout.cut.at, now).total_seconds())
        gauge("mgeo_controller_evidence_age_seconds").set(_evidence_age_s(rollout, now))
        if rollout.judgement is None:
            return
        gauge("mgeo_controller_pairs").set(rollout.judgement.accounting.paired)
        values, evidence = gauge("mgeo_controller_gate_value"), gauge("mgeo_controller_gate_log_e")
        values.clear()
        evidence.clear()
        for gate in rollout.judgement.gates:
            if gate.name.startswith("slice:"):
                continue  # a label never holds text that a publisher wrote
            if gate.value is not None:
                values.labels(gate=gate.name).set(gate.value)
            if gate.log_e is not None:
                evidence.labels(gate=gate.name).set(gate.log_e)

    def _moves(self, phase: Phase, cause: Cause) -> CounterMetric:
        moves = self._metrics.counter("mgeo_controller_moves")
        return moves.labels(phase=phase.value, cause=cause.value)


def _evidence_age_s(rollout: Rollout, now: datetime) -> float:
    """How old the newest evidence is. A cut is taken every minute even where nothing comes, so
    that the age of the newest cut does not say it; of a replay, whose evidence is old by nature,
    nothing says more.
    """
    if rollout.replay is not None and rollout.cut is not None:
        return since(rollout.cut.at, now).total_seconds()
    judgement = rollout.judgement
    newest_ms = None if judgement is None else judgement.accounting.newest_input_ms
    if newest_ms is not None:
        return max(0.0, now.timestamp() - newest_ms / 1000)
    return since(rollout.shadowing_since, now).total_seconds()
