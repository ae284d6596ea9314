"""A worker in a process of its own, to be killed: the real engine with an instant model.

Run as a script it is that process; imported, it starts and ends such processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """One worker process. Every signal goes to its own process id.

    Args:
        bootstrap_servers: the broker.
        prefix: topic prefix of the stream.
        folder: where its log and its notes of encoder calls go.
        arguments: see ``--help`` of the script.
    """

    def __init__(
        self, bootstrap_servers: str, prefix: str, folder: Path, *arguments: str, name: str = "w"
    ) -> None:
        self.log = folder / f"{name}-{time.monotonic_ns()}.log"
        self.port_file = self.log.with_suffix(".port")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.streams.worker_process",
                    *("--bootstrap", bootstrap_servers, "--prefix", prefix),
                    *("--port-file", str(self.port_file)),
                    *arguments,
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        if self.alive:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no last word."""
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def terminate(self, timeout_s: float = 40.0) -> int:
        """SIGTERM and the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; (0, "") while nobody listens."""
        try:
            port = int(self.port_file.read_text())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, ValueError):
            return 0, ""

    async def ready(self, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while (await asyncio.to_thread(self.get, "/readyz"))[0] != 200:
            assert self.alive, f"the worker ended: {self.tail()}"
            assert time.monotonic() < deadline, f"not ready: {self.tail()}"
            await asyncio.sleep(0.05)

    async def ended(self, timeout_s: float = 60.0) -> int:
        """Wait for it to end by itself; its exit code."""
        return await asyncio.to_thread(self.process.wait, timeout_s)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.alive:
            self.resume()
            self.kill()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--seconds-per-token", type=float, default=0.0)
    parser.add_argument("--calls", type=Path, help="note every start of the killing text here")
    parser.add_argument("--unfenced", action="store_true", help="a transactional id per process")
    parser.add_argument("--role", choices=["stable", "shadow"], default="stable")
    parser.add_argument("--candidate", metavar="WAY", help="how the candidate goes wrong")
    parser.add_argument("--starters", action="store_true", help="real models, on the CPU")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _main() -> int:
    import uvloop

    from consumer.parser.seams import AddressModel
    from consumer.service.worker import Worker
    from consumer.stream.residency import ModelLoader
    from consumer.stream.roles import stable_role
    from consumer.stream.shadow import shadow_role
    from contracts.errors import MgeoError
    from contracts.logs import configure_logs
    from contracts.settings import KafkaSettings
    from contracts.spec import ModelSpec
    from tests.models import instant
    from tests.models.misbehaving import DeadlyEncoder, DeviceBreaker, HangingEncoder, misbehaving
    from tests.streams.rollouts import CANDIDATE
    from tests.streams.worker import settings_for_tests, unfenced_sinks

    arguments = _arguments()
    configure_logs(json_lines=True)
    kafka = KafkaSettings(
        kafka_bootstrap_servers=arguments.bootstrap, topic_prefix=arguments.prefix
    )
    changes = dict(one.split("=", 1) for one in arguments.setting)
    if arguments.starters:
        changes |= {"device": "cpu", "version": "mgeo-starter-v1-20260915"}
    settings = settings_for_tests(**changes)

    def note(token_ids: object) -> None:
        if arguments.calls is not None and instant.spells_killer(token_ids):
            with arguments.calls.open("a") as file:
                file.write(f"{os.getpid()} {time.time()} {len(token_ids)}\n")  # type: ignore[arg-type]  # an array
                file.flush()
                os.fsync(file.fileno())

    encoder = instant.InstantEncoder(arguments.seconds_per_token, before=note)
    role = {"stable": stable_role, "shadow": shadow_role}[arguments.role](
        kafka.names, settings.limits
    )

    def load(spec: ModelSpec) -> AddressModel:
        if arguments.candidate is None:
            return instant.InstantModel(spec, encoder)
        if spec != CANDIDATE:
            return instant.InstantModel(spec, instant.InstantEncoder(immune=True))
        if arguments.candidate == "dies":
            return instant.InstantModel(spec, DeadlyEncoder())
        if arguments.candidate == "breaks":
            return instant.InstantModel(spec, DeviceBreaker())
        if arguments.candidate == "hangs":
            return instant.InstantModel(spec, HangingEncoder())
        return misbehaving(spec, arguments.candidate)

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await worker.run(stop, on_port=lambda port: arguments.port_file.write_text(str(port)))

    load_model: ModelLoader = load
    if arguments.starters:
        from tests.models.spoilt import starters

        load_model = starters(settings, arguments.candidate or "")
    worker = Worker(
        settings,
        kafka,
        role,
        load=load_model,
        sink_factory=unfenced_sinks(kafka, settings) if arguments.unfenced else None,
    )
    try:
        uvloop.run(run())
    except MgeoError as error:
        print(f"{error.code}: {error}", file=sys.stderr, flush=True)
        return 70
    return 0


if __name__ == "__main__":
    sys.exit(_main())
