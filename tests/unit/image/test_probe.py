"""The health check of the images: right about yes and no, and light."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from consumer.service.health import Health, HealthServer
from consumer.settings import WorkerSettings
from deploy.image.probe import PORTS, ask, is_yes, target
from producer.gateway.settings import GatewaySettings
from rollout.settings import ControllerSettings

ANY = "0.0.0.0"  # noqa: S104 - as the images set it; nothing binds to it here


@contextmanager
def served(health: Health) -> Iterator[int]:
    server = HealthServer("127.0.0.1", 0, health, CollectorRegistry())
    try:
        yield server.port
    finally:
        server.close()


def probe(role: str, page: str, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.image.probe", role, page],
        env={"MGEO_PORT": str(port), "MGEO_HOST": ANY, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_asks_where_each_role_listens_by_default() -> None:
    roles = {"worker": WorkerSettings, "controller": ControllerSettings, "gateway": GatewaySettings}
    assert {name: model().port for name, model in roles.items()} == PORTS


@pytest.mark.parametrize("role", PORTS)
@pytest.mark.parametrize(
    ("host", "asked"), [(ANY, "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")]
)
def test_it_follows_the_settings_of_its_role(role: str, host: str, asked: str) -> None:
    prefix = "MGEO_GATEWAY_" if role == "gateway" else "MGEO_"
    assert target(role, {f"{prefix}HOST": host, f"{prefix}PORT": "81"}) == (asked, 81)
    assert target(role, {f"{prefix}HOST": host, f"{prefix}PORT": ""}) == (asked, PORTS[role])


def test_a_worker_that_waits_is_alive_and_not_ready() -> None:
    health = Health(loop_timeout_s=60)
    health.beat()
    health.waiting_for("a model")
    with served(health) as port:
        assert probe("worker", "livez", port).returncode == 0
        refused = probe("worker", "readyz", port)
        assert refused.returncode == 1
        assert "a model" in refused.stderr
        health.ready()
        assert probe("worker", "readyz", port).returncode == 0


def test_a_worker_that_is_gone_is_not_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = probe("worker", "livez", port)
    assert gone.returncode == 1
    assert "does not answer" in gone.stderr


def test_what_accepts_and_says_nothing_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.image.probe.TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        ask("127.0.0.1", silent.getsockname()[1], "livez")


def test_what_hangs_up_is_not_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:
        hanging_up = threading.Thread(target=lambda: rude.accept()[0].close())
        hanging_up.start()
        assert not is_yes(ask_or_nothing(rude.getsockname()[1]))
        hanging_up.join()


def ask_or_nothing(port: int) -> bytes:
    try:
        return ask("127.0.0.1", port, "livez")
    except ConnectionError:
        return b""


@given(st.integers(100, 599), st.binary(max_size=30))
def test_only_2xx_is_a_yes(status: int, rest: bytes) -> None:
    answer = b"HTTP/1.1 %d Whatever\r\n" % status + rest
    assert is_yes(answer) is (status // 100 == 2)


@given(st.binary(max_size=200))
def test_noise_is_never_a_yes(noise: bytes) -> None:
    assert not is_yes(b"x" + noise)


def test_it_imports_neither_settings_nor_an_http_library() -> None:
    """It runs every few seconds beside a worker that needs the processor."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import deploy.image.probe, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"pydantic", "typer", "httpx", "http.client", "ssl", "asyncio"} & set(loaded)
