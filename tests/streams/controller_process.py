"""A controller in a process of its own, to be killed: the real one, with scripted evidence.

Run as a script it is that process; imported, it starts and ends such processes. The script can
kill itself (SIGKILL) at any point of any of its writes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]

POINTS = ("before", "state_sent", "audit_sent", "committed")
"""Of one write: nothing sent yet; the state; the audit too, commit not asked for; committed."""


class ControllerProcess:
    """One controller process. Every signal goes to its own process id."""

    def __init__(self, bootstrap_servers: str, prefix: str, folder: Path, *arguments: str) -> None:
        self.log = folder / f"c-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.streams.controller_process",
                    *("--bootstrap", bootstrap_servers, "--prefix", prefix),
                    *arguments,
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        if self.alive:
            self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self, timeout_s: float = 30.0) -> int:
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    @property
    def leads(self) -> bool:
        return '"leading"' in self.log.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.alive:
            self.signal(signal.SIGCONT)
            self.kill()


def _main() -> int:
    from contracts.logs import configure_logs
    from contracts.settings import KafkaSettings, client_options
    from rollout.controller.service import Controller
    from rollout.controller.writer import Writer
    from tests.streams import controller as c

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--die-at-write", type=int, default=0)
    parser.add_argument("--die-at", choices=POINTS, default="before")
    parser.add_argument("--undecided", action="store_true", help="its evidence never decides")
    arguments = parser.parse_args()
    configure_logs(json_lines=True)
    kafka = KafkaSettings(
        kafka_bootstrap_servers=arguments.bootstrap, topic_prefix=arguments.prefix
    )
    script = c.Script()
    if arguments.undecided:
        script.judge = lambda _: c.judgement("continue", "still_collecting")
    writes = 0

    class Doomed(Writer):
        """Dies at one point of one write."""

        def _reached(self, point: str) -> None:
            if writes == arguments.die_at_write and point == arguments.die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        async def write(self, plan: Any) -> None:
            nonlocal writes
            writes += 1
            self._reached("before")
            await super().write(plan)

        async def _send_state(self, plan: Any) -> Any:
            sent = await super()._send_state(plan)
            await self._producer.flush()
            self._reached("state_sent")
            return sent

        async def _commit(self) -> None:
            await self._producer.flush()
            self._reached("audit_sent")
            await super()._commit()
            self._reached("committed")

    async def run() -> None:
        from prometheus_client import CollectorRegistry

        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        parts = c.parts_for(
            kafka,
            script,
            make_writer=lambda: Doomed(kafka.names, client_options(kafka), 15_000),
        )
        controller = Controller(
            c.quick_settings(), kafka, parts, registry=CollectorRegistry(), probe=c.Probe()
        )
        await controller.run(stop)

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(_main())
