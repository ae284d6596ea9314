"""Which broker this run of the suite uses: MGEO_TEST_BROKER=local|testcontainers|external."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.local import LocalBroker, LocalSettings
from deploy.local.jars import pinned

KINDS = ("local", "testcontainers", "external")
DEFAULT_IMAGE = "apache/kafka:4.1.0"
# Read now: the suite hides the user's own settings from the tests.
EXTERNAL_ADDRESS = os.environ.get("MGEO_KAFKA_BOOTSTRAP_SERVERS", "")


@dataclass(frozen=True)
class Broker:
    """A real broker that the whole session shares; fault tests bring their own."""

    kind: str
    bootstrap_servers: str


def chosen_kind() -> str:
    kind = os.environ.get("MGEO_TEST_BROKER", "local")
    if kind not in KINDS:
        raise ValueError(f"MGEO_TEST_BROKER is {kind!r}; it must be one of {', '.join(KINDS)}")
    return kind


def chosen_image() -> str:
    return os.environ.get("MGEO_TEST_KAFKA_IMAGE", DEFAULT_IMAGE)


def describe() -> str:
    """One line for pytest's header."""
    match chosen_kind():
        case "local":
            return f"Apache Kafka {pinned().kafka_version}, a local process from pinned jars"
        case "testcontainers":
            return f"{chosen_image()} through testcontainers"
        case _:
            return f"external, {EXTERNAL_ADDRESS or 'address not set'}"


@contextmanager
def running(settings: LocalSettings) -> Iterator[Broker]:
    """Start the chosen broker, or check the external one's address, for as long as needed."""
    kind = chosen_kind()
    if kind == "local":
        with LocalBroker(settings) as local:
            yield Broker(kind, local.bootstrap_servers)
    elif kind == "testcontainers":
        from tests.brokers.container import kafka_container

        with kafka_container(chosen_image()) as address:
            yield Broker(kind, address)
    else:
        if not EXTERNAL_ADDRESS:
            raise ValueError(
                "MGEO_TEST_BROKER=external needs MGEO_KAFKA_BOOTSTRAP_SERVERS=host:port"
            )
        yield Broker(kind, EXTERNAL_ADDRESS)
