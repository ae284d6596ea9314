"""Kafka in a container through testcontainers, on whatever Docker-compatible socket there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.docker import HOST, environment
from deploy.local.ports import free_port
from deploy.local.readiness import wait_until_ready

START_TIMEOUT_S = 120


@contextmanager
def kafka_container(image: str) -> Iterator[str]:
    """Run the image and give the broker's address.

    MGEO_TEST_CONTAINER_NETWORK=host shares this machine's network, for engines that cannot
    publish ports.
    """
    from testcontainers.core.container import DockerContainer

    port = free_port()
    container = DockerContainer(image)
    for name, value in environment(port, controller_port=free_port()).items():
        container.with_env(name, value)
    if os.environ.get("MGEO_TEST_CONTAINER_NETWORK") == "host":
        container.with_kwargs(network_mode="host")
    else:
        # The broker advertises its port, so inside and outside must agree on it.
        container.with_bind_ports(port, port)
    with container:
        ready = wait_until_ready(
            HOST, port, timeout_s=START_TIMEOUT_S, alive=lambda: _is_running(container)
        )
        if not ready:
            out, err = container.get_logs()
            log = (out + err).decode(errors="replace")[-3000:]
            raise RuntimeError(f"{image} did not become a broker that answers:\n{log}")
        yield f"{HOST}:{port}"


def _is_running(container: object) -> bool:
    wrapped = container.get_wrapped_container()  # type: ignore[attr-defined]  # testcontainers' own
    wrapped.reload()
    return bool(wrapped.status == "running")
