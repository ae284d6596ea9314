"""Which cluster and which topics a command talks to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contracts.settings import KafkaSettings

PrefixOption = Annotated[
    str | None,
    typer.Option(
        "--topic-prefix", help="Put before every topic's name. Default: MGEO_TOPIC_PREFIX."
    ),
]


def cluster(topic_prefix: str | None) -> KafkaSettings:
    """The settings to reach Kafka with, under the prefix that was asked for."""
    from contracts.settings import KafkaSettings
    from deploy.local.discovery import kafka_settings

    found = kafka_settings()
    if topic_prefix is None:
        return found
    return KafkaSettings.model_validate({**found.model_dump(), "topic_prefix": topic_prefix})
