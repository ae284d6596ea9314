"""A worker process under measurement: started, watched, drained."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from contracts.errors import FatalError
from contracts.settings import KafkaSettings

_READY_WITHIN_S: Final = 120.0
_DRAIN_WITHIN_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What kind of worker.

    Attributes:
        environment: ``MGEO_`` settings beside those of Kafka.
        instant: the model that answers at once instead of a real one.
        plant_sleep_ms: time to waste before every commit.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    instant: bool = False
    plant_sleep_ms: float = 0.0

    @property
    def command(self) -> list[str]:
        """The product's own command unless something is planted."""
        if not self.instant and not self.plant_sleep_ms:
            return [sys.executable, "-m", "deploy.cli", "worker"]
        more = ["--instant"] if self.instant else []
        return [
            *(sys.executable, "-m", "deploy.bench.launcher", *more),
            *("--plant-sleep-ms", str(self.plant_sleep_ms)),
        ]


@dataclass(slots=True)
class MemoryTrace:
    """Resident memory over time."""

    at_s: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)


@asynccontextmanager
async def running(setup: Setup, kafka: KafkaSettings, log: Path) -> AsyncIterator[WorkerProcess]:
    """A worker that is ready; on leaving it is drained, or killed when something failed.

    Raises:
        FatalError: ``bench_worker_failed`` when it ended early or not with 0.
    """
    worker = await asyncio.to_thread(WorkerProcess, setup, kafka, log)
    try:
        await asyncio.to_thread(worker.wait_until_ready)
        yield worker
    except BaseException:
        worker.end(signal.SIGKILL)
        raise
    code = await asyncio.to_thread(worker.end, signal.SIGTERM)
    if code != 0:
        raise worker.failed(f"the worker left with {code}")


class WorkerProcess:
    """One worker; :func:`running` is the way to have one."""

    def __init__(self, setup: Setup, kafka: KafkaSettings, log: Path) -> None:
        self._log = log
        self._port = 0
        self.memory = MemoryTrace()
        environment = {
            **os.environ,
            "MGEO_KAFKA_BOOTSTRAP_SERVERS": kafka.kafka_bootstrap_servers,
            "MGEO_KAFKA_SECURITY_PROTOCOL": kafka.kafka_security_protocol,
            "MGEO_TOPIC_PREFIX": kafka.topic_prefix,
            # Every text is to be parsed, and the machine's port 9464 may be taken.
            "MGEO_CACHE_CHARS": "0",
            "MGEO_PORT": "0",
            **setup.environment,
        }
        with log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603  (our own program)
                setup.command, env=environment, stderr=errors, stdout=subprocess.DEVNULL
            )
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Processor time that it has used so far, on all cores, in seconds."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def check(self) -> None:
        """Raise ``bench_worker_failed`` when it has ended."""
        if self._process.poll() is not None:
            raise self.failed("the worker ended too early")

    def metrics(self) -> dict[str, float]:
        """Every sample of its metrics page, summed over labels; buckets left out."""
        url = f"http://127.0.0.1:{self._port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
        found: dict[str, float] = {}
        for line in page.splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(("mgeo_", "process_")) and "_bucket" not in name:
                plain = name.partition("{")[0]
                found[plain] = found.get(plain, 0.0) + float(value)
        return found

    def wait_until_ready(self) -> None:
        """Block until it says so in its log, which also names its port."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline:
            self.check()
            for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines():
                if not line.startswith("{"):
                    continue
                event = json.loads(line)
                self._port = event.get("port", self._port)
                if event.get("event") == "ready":
                    return
            time.sleep(0.05)
        raise self.failed(f"the worker was not ready within {_READY_WITHIN_S:.0f} s")

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait for its exit code."""
        self._ended.set()
        self._watcher.join()
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(timeout=_DRAIN_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _watch(self) -> None:
        process = psutil.Process(self._process.pid)
        while not self._ended.wait(0.25):
            try:
                resident = process.memory_info().rss
            except psutil.Error:
                return
            self.memory.at_s.append(time.monotonic())
            self.memory.bytes.append(resident)

    def failed(self, message: str) -> FatalError:
        """An error that shows the end of the worker's log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "\n".join(lines[-5:])
        return FatalError(message, code="bench_worker_failed", hint=f"its last words:\n{tail}")
