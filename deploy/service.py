"""Running a worker as a process: event loop, signals, model loading."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from contracts.errors import UsageError
from contracts.logs import get_logger
from contracts.tracing import traces

if TYPE_CHECKING:
    from consumer.settings import WorkerSettings
    from contracts.settings import KafkaSettings

_log = get_logger(__name__)


ROLES = ("stable", "shadow")


def serve_worker(settings: WorkerSettings, kafka: KafkaSettings, role: str = "stable") -> None:
    """Serve as a worker until SIGTERM or SIGINT, on uvloop where there is one.

    Args:
        settings: how it works.
        kafka: how Kafka is reached.
        role: one of ``ROLES``.

    Raises:
        UsageError: ``bad_role``; ``extra_missing`` when the worker's packages are not installed.
        FatalError: the process must stop; starting it again is safe.
    """
    check_role(role)
    share_cores()
    try:
        from consumer.service.loading import model_loader
    except ImportError as error:
        raise UsageError(
            f"a worker needs packages that are not installed ({error.name})",
            code="extra_missing",
            hint="pip install 'mgeo-stream[worker]'",
        ) from error
    from consumer.service.worker import Worker
    from consumer.stream.roles import stable_role
    from consumer.stream.shadow import shadow_role

    make = {"stable": stable_role, "shadow": shadow_role}[role]

    async def main() -> None:
        stop = stop_on_signals()
        worker = Worker(
            settings, kafka, make(kafka.names, settings.limits), load=model_loader(settings)
        )
        await worker.run(
            stop,
            on_port=lambda port: _log.info(
                "listening", host=settings.host, port=port, pid=os.getpid()
            ),
        )

    run_service(main(), f"mgeo-worker-{role}")


def check_role(role: str) -> None:
    """Refuse what is no role.

    Raises:
        UsageError: ``bad_role``.
    """
    if role not in ROLES:
        raise UsageError(
            f"{role!r} is not a role", code="bad_role", hint=f"roles: {', '.join(ROLES)}"
        )


def leave_on_sigterm() -> None:
    """Until the event loop listens for it, SIGTERM ends the process at once, with 0.

    Call it first of all: importing torch takes seconds, and a service that is told to stop in
    them has nothing in hand.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set from now on; for the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return stop


def share_cores() -> None:
    """Let threads of the network that wait for one another sleep; call it before torch loads.

    By default they spin. A worker shares its cores with its own event loop and decoders, and
    often with others: then spinning threads hold up the very thread they wait for, and the
    network becomes several times slower. ``OMP_WAIT_POLICY`` of the environment wins.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def run_service(main: Coroutine[Any, Any, None], service: str) -> None:
    """Run a service's coroutine on uvloop, or on asyncio where uvloop is not to be had.

    What was imported by now is left out of every later garbage collection. torch and what it
    brings make a quarter of a million objects that never go, and looking through them stops every
    thread of the process for about a tenth of a second.

    Args:
        main: its life.
        service: its name in traces.
    """
    gc.collect()
    gc.freeze()
    with traces(service):
        try:
            import uvloop
        except ImportError:
            asyncio.run(main)
            return
        uvloop.run(main)
