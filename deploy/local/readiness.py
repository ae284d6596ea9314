"""Asking a broker whether it serves: a TCP connection, ApiVersions, and itself in the metadata."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

from contracts.settings import KafkaSettings, client_options

POLL_S = 0.05
REQUEST_TIMEOUT_MS = 2000


def listens(host: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def plainly(bootstrap_servers: str) -> KafkaSettings:
    """How a broker without security is reached, whatever the environment says of others."""
    return KafkaSettings(
        kafka_bootstrap_servers=bootstrap_servers, kafka_security_protocol="PLAINTEXT"
    )


async def answers(kafka: KafkaSettings) -> bool:
    """Whether a Kafka broker answers ApiVersions and lists at least one broker in its cluster."""
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(**client_options(kafka), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await asyncio.wait_for(admin.start(), timeout=REQUEST_TIMEOUT_MS / 1000)
        cluster = await asyncio.wait_for(
            admin.describe_cluster(), timeout=REQUEST_TIMEOUT_MS / 1000
        )
        return bool(cluster["brokers"])
    except (KafkaError, TimeoutError, OSError, AttributeError, AssertionError):
        # AttributeError, AssertionError: aiokafka 0.14 when the cluster has no broker yet.
        return False
    finally:
        await admin.close()


def answers_now(broker: KafkaSettings | str) -> bool:
    """`answers`, for callers without an event loop, and for those inside one.

    `broker` is how it is reached, or just where, for one without security.
    """
    kafka = plainly(broker) if isinstance(broker, str) else broker
    verdict: list[bool] = []
    thread = threading.Thread(target=lambda: verdict.append(asyncio.run(answers(kafka))))
    thread.start()
    thread.join()
    return bool(verdict and verdict[0])


def wait_until_ready(
    host: str,
    port: int,
    *,
    timeout_s: float,
    alive: Callable[[], bool],
    client: KafkaSettings | None = None,
) -> bool:
    """Wait for the broker's first answer. `client` says how it is reached: None is plainly.

    True when it answered; false when `alive` said that its process has ended or the time is up.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not alive():
            return False
        if listens(host, port) and answers_now(client or f"{host}:{port}"):
            return True
        time.sleep(POLL_S)
    return False
