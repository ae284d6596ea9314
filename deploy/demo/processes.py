"""The processes of the demo: workers and a controller, each as an operator would run it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from contracts.errors import FatalError

STOP_WITHIN_S: Final = 40.0


_PR_SET_PDEATHSIG: Final = 1


def die_with_the_parent() -> None:
    """Linux ends this process when the thread that started it is gone (prctl(2))."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_LIBC: Final = ctypes.CDLL(None)


class Service:
    """One `mgeo` service in a process of its own, with a free port for its health.

    Args:
        name: for people, and of its log file.
        arguments: of `mgeo`.
        environment: all of its environment.
        folder: where its log goes.
        stderr: a file descriptor that takes what it logs instead.
    """

    def __init__(
        self,
        name: str,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        folder: Path,
        *,
        stderr: int | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name.replace(' ', '-')}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "deploy.cli", *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log if stderr is None else stderr,
                # Ctrl-C is the demo's: it stops its services itself, one after the other.
                start_new_session=True,
                # Nothing of it outlives a parent that was killed.
                preexec_fn=die_with_the_parent if sys.platform == "linux" else None,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise when it has ended.

        Raises:
            FatalError: ``worker_failed``.
        """
        code = self._process.poll()
        if code is not None:
            raise self._ended(code)

    def stop(self) -> None:
        """SIGTERM, and what it left with; SIGKILL when it does not listen.

        Raises:
            FatalError: ``worker_failed`` when it did not leave with 0.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code != 0:
            raise self._ended(code)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _ended(self, code: int) -> FatalError:
        words = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        return FatalError(
            f"the {self.name} left with {code}",
            code="worker_failed",
            hint=f"its last words, from {self.log}:\n{words}",
        )


class Services:
    """Everything that the demo has started; leaving it ends all of it."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder
        self._running: list[Service] = []

    def start(self, name: str, *arguments: str, **environment: str) -> Service:
        """Start one; environment variables as keywords."""
        service = Service(name, arguments, {**self._environment, **environment}, self._folder)
        self._running.append(service)
        return service

    def check(self) -> None:
        """Raise when one of them has ended."""
        for service in self._running:
            service.check()

    def stop(self) -> None:
        """Stop all of them, the last first: the controller outlives nobody it waits for."""
        while self._running:
            self._running.pop().stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._running:
            self._running.pop().kill()


async def until_ready(services: Services, port: int, *, what: str, timeout_s: float = 90) -> None:
    """Wait until a service says that it is ready.

    Raises:
        FatalError: ``worker_failed``, or ``demo_timeout``.
    """
    deadline = time.monotonic() + timeout_s
    while not await asyncio.to_thread(is_ready, port):
        services.check()
        if time.monotonic() > deadline:
            raise FatalError(f"the {what} is not ready in {timeout_s:.0f} s", code="demo_timeout")
        await asyncio.sleep(0.2)


def is_ready(port: int) -> bool:
    """Whether the service with this health port says that it is ready. Blocking."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def environment_of(
    kafka_bootstrap_servers: str, store: Path, version: str, *, device: str = "cpu"
) -> dict[str, str]:
    """The environment that everything of the demo shares; no setting of the user's is in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MGEO_")}
    ours = {name: os.environ[name] for name in ("MGEO_DEBUG",) if name in os.environ}
    return {
        **kept,
        **ours,
        "MGEO_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap_servers,
        "MGEO_MODEL_STORE": str(store),
        "MGEO_VERSION": version,
        "MGEO_DEVICE": device,
        # Two workers, a broker and a controller share this machine.
        "MGEO_CPU_THREADS": "1",
    }
