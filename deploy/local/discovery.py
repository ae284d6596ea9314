"""Which Kafka the commands talk to: the one that is set, else the local one that runs."""

from __future__ import annotations

import os

from contracts.errors import BackendUnreachableError
from contracts.settings import KafkaSettings
from deploy.local.settings import LocalSettings
from deploy.local.stack import current

VARIABLE = "MGEO_KAFKA_BOOTSTRAP_SERVERS"


def bootstrap_servers(settings: LocalSettings | None = None) -> str:
    """Return ``host:port[,host:port…]`` of the Kafka to use.

    MGEO_KAFKA_BOOTSTRAP_SERVERS wins; else the broker that `mgeo up` runs.
    Raises BackendUnreachableError when there is neither.
    """
    if configured := os.environ.get(VARIABLE):
        return configured
    state = current(settings or LocalSettings())
    if state is None:
        raise BackendUnreachableError(
            "No Kafka broker is known: none is set, and no local one is running.",
            hint=f"Start one with `mgeo up`, or set {VARIABLE}=host:port.",
        )
    return state.bootstrap_servers


def kafka_settings() -> KafkaSettings:
    """How to reach Kafka, with the local broker's address filled in where none is set."""
    return KafkaSettings(kafka_bootstrap_servers=bootstrap_servers())
