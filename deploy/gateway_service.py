"""Running the gateway as a process: event loop and signals."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from contracts.logs import get_logger
from deploy.service import run_service, stop_on_signals

if TYPE_CHECKING:
    from contracts.limits import Limits
    from contracts.settings import KafkaSettings
    from producer.gateway.settings import GatewaySettings

_log = get_logger(__name__)


def serve_gateway(settings: GatewaySettings, kafka: KafkaSettings, limits: Limits) -> None:
    """Serve as a gateway until SIGTERM or SIGINT.

    Raises:
        UsageError: ``port_in_use``.
    """
    from producer.gateway.service import Gateway

    async def main() -> None:
        stop = stop_on_signals()
        await Gateway(settings, kafka, limits).run(
            stop,
            on_port=lambda port: _log.info(
                "listening", host=settings.host, port=port, pid=os.getpid()
            ),
        )

    run_service(main(), "mgeo-gateway")
