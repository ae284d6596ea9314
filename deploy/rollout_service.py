"""Running the controller as a process: what the packages give each other, and the signals."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import TYPE_CHECKING, Any

from contracts.logs import get_logger
from deploy.service import run_service, stop_on_signals

if TYPE_CHECKING:
    from contracts.requests import ReplayFrom
    from contracts.rollout import Offsets
    from contracts.settings import KafkaSettings
    from rollout.controller.service import Parts
    from rollout.settings import ControllerSettings

_log = get_logger(__name__)
_LOOP_TIMEOUT_S = 30.0


def serve_controller(settings: ControllerSettings, kafka: KafkaSettings) -> None:
    """Serve as a controller until SIGTERM or SIGINT.

    Raises:
        UsageError: a setting or one of its files cannot be used.
    """
    from prometheus_client import CollectorRegistry

    from consumer.service.health import Health, HealthServer
    from rollout.controller.service import Controller

    parts = controller_parts(settings, kafka)  # wrong files are told before anything is joined

    async def main() -> None:
        stop = stop_on_signals()
        registry = CollectorRegistry()
        # Whether it is ready is no metric of its own: mgeo_controller_leader says more.
        health = Health(loop_timeout_s=_LOOP_TIMEOUT_S)
        controller = Controller(settings, kafka, parts, registry=registry, probe=health)
        server = HealthServer(settings.host, settings.port, health, registry)
        _log.info("listening", host=settings.host, port=server.port, pid=os.getpid())
        try:
            await controller.run(stop)
        finally:
            server.close()

    run_service(main(), "mgeo-controller")


def controller_parts(settings: ControllerSettings, kafka: KafkaSettings) -> Parts:
    """What the controller is handed: logs, evidence, its own files, the first state.

    Raises:
        UsageError: the guardrails or the keyring cannot be used.
    """
    from deploy.first_state import ensure_first_state
    from producer.topic_log import TopicLog
    from rollout.approvals import load_keyring
    from rollout.controller.service import Parts
    from rollout.evidence.reader import EvidenceReader, starting_positions
    from rollout.guardrails import load_guardrails

    open_log = functools.partial(TopicLog, kafka)

    async def positions(replay: ReplayFrom | None) -> dict[Any, Offsets]:
        return await starting_positions(
            open_log,
            kafka.names,
            replay=replay is not None,
            replay_since_ms=None if replay is None else replay.since_ms,
        )

    async def first_state() -> str | None:
        return await asyncio.to_thread(ensure_first_state, kafka)

    return Parts(
        open_log=open_log,
        open_evidence=functools.partial(EvidenceReader, open_log, kafka.names),
        positions=positions,
        guardrails=None if settings.guardrails is None else load_guardrails(settings.guardrails),
        keyring=None if settings.keyring is None else load_keyring(settings.keyring),
        first_state=first_state,
    )
