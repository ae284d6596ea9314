"""Which Kafka the commands talk to: the one that is set, else the local one that runs."""

from __future__ import annotations

import os

from contracts.errors import BackendUnreachableError
from contracts.settings import KafkaSettings
from deploy.local.settings import LocalSettings
from deploy.local.stack import client_of, current
from deploy.local.state import BrokerState

VARIABLE = "MGEO_KAFKA_BOOTSTRAP_SERVERS"


def bootstrap_servers(settings: LocalSettings | None = None) -> str:
    """Return ``host:port[,host:port…]`` of the Kafka to use.

    MGEO_KAFKA_BOOTSTRAP_SERVERS wins; else the broker that `mgeo up` runs.
    Raises BackendUnreachableError when there is neither.
    """
    return os.environ.get(VARIABLE) or _local(settings).bootstrap_servers


def kafka_settings() -> KafkaSettings:
    """How to reach Kafka: as the environment says, or the local broker as its super user.

    Of the variables, those that name a security protocol or a user count for the local broker
    too: so one can be another of its users.
    Raises BackendUnreachableError when there is neither.
    """
    if os.environ.get(VARIABLE):
        return KafkaSettings()
    state = _local(None)
    told = KafkaSettings(kafka_bootstrap_servers=state.bootstrap_servers)
    if not state.environment or told.kafka_security_protocol != "PLAINTEXT":
        return told
    found = client_of(state).model_dump(exclude_unset=True)
    return KafkaSettings.model_validate({**told.model_dump(exclude_unset=True), **found})


def _local(settings: LocalSettings | None) -> BrokerState:
    state = current(settings or LocalSettings())
    if state is None:
        raise BackendUnreachableError(
            "No Kafka broker is known: none is set, and no local one is running.",
            hint=f"Start one with `mgeo up`, or set {VARIABLE}=host:port.",
        )
    return state
