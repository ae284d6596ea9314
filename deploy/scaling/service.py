"""Follows the control topic and steers the number of shadow workers, until it is told to stop.

It never decides anything about a rollout, and writes nothing to Kafka.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from contracts.logs import get_logger
from deploy.service import run_service, stop_on_signals

if TYPE_CHECKING:
    from consumer.service.health import Health
    from contracts.settings import KafkaSettings
    from deploy.scaling.api import Scale
    from deploy.scaling.settings import ScalingSettings

_log = get_logger(__name__)

_LOOP_TIMEOUT_S = 30.0
_AGAIN_S = 5.0


def serve_scaler(settings: ScalingSettings, kafka: KafkaSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        UsageError: ``not_in_cluster`` or ``port_in_use``.
    """
    from prometheus_client import CollectorRegistry

    from consumer.service.health import Health, HealthServer
    from deploy.scaling.api import Scale

    # It tells every look at the API server as news: a line every few seconds, for ever.
    logging.getLogger("httpx").setLevel(logging.WARNING)

    async def main() -> None:
        stop = stop_on_signals()
        health = Health(loop_timeout_s=_LOOP_TIMEOUT_S)
        async with Scale(settings.shadow_deployment, settings.service_account) as scale:
            server = HealthServer(settings.host, settings.port, health, CollectorRegistry())
            _log.info("listening", host=settings.host, port=server.port, pid=os.getpid())
            try:
                await Scaler(settings, kafka, scale, health).run(stop)
            finally:
                server.close()

    run_service(main(), "mgeo-scaler")


class Scaler:
    """Steers one Deployment.

    Args:
        settings: how many, and how often it looks.
        kafka: how Kafka is reached.
        scale: of the Deployment.
        health: what its probes answer from.
    """

    def __init__(
        self, settings: ScalingSettings, kafka: KafkaSettings, scale: Scale, health: Health
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._scale = scale
        self._health = health
        self._wanted: int | None = None
        self._changed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; what is scaled then stays so."""
        self._health.waiting_for("the control topic")
        work = [asyncio.create_task(one) for one in (self._follow(), self._steer(), self._beat())]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*work, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            for task in (*work, stopping):
                task.cancel()
            await asyncio.gather(*work, stopping, return_exceptions=True)

    async def _follow(self) -> None:
        """Keep the wish up to date. While Kafka is away the last one stands."""
        from contextlib import aclosing

        from contracts.errors import MgeoError
        from deploy.rollouts import rollout_client
        from deploy.scaling.rule import shadow_replicas

        while True:
            try:
                async with aclosing(rollout_client(self._kafka).follow()) as states:
                    async for state in states:
                        wanted = shadow_replicas(state, self._settings.shadow_replicas)
                        if wanted != self._wanted:
                            _log.info("wanted", replicas=wanted, phase=state.phase)
                        self._wanted = wanted
                        self._changed.set()
            except MgeoError as error:
                _log.warning("cannot follow", error=error.code, why=str(error))
            await asyncio.sleep(_AGAIN_S)

    async def _steer(self) -> None:
        from contracts.errors import TransientError

        interval_s = self._settings.scale_interval_ms / 1e3
        while True:
            try:
                async with asyncio.timeout(interval_s):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            if self._wanted is None:
                continue
            try:
                found = await self._scale.replicas()
                if found != self._wanted:
                    await self._scale.set(self._wanted)
                    _log.info("scaled", replicas=self._wanted, found=found)
                self._health.ready()
            except TransientError as error:
                _log.warning("cannot scale", error=error.code, why=str(error))
                self._health.waiting_for("the Kubernetes API")
                await asyncio.sleep(min(interval_s, _AGAIN_S))

    async def _beat(self) -> None:
        while True:
            self._health.beat()
            await asyncio.sleep(0.1)
