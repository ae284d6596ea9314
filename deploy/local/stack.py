"""`up` and `down` of the one broker per user: idempotent, safe to call twice at once.

Knows what runs from the state file and, where that is lost, from the process table.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from contracts.errors import UsageError
from contracts.settings import KafkaSettings
from deploy.errors import BrokerStartError, DeployError
from deploy.local import jars, jvm, ports
from deploy.local.broker import HOST, SECURITY, LocalBroker
from deploy.local.docker import DockerBroker
from deploy.local.process import end_process, find_process
from deploy.local.readiness import plainly, wait_until_ready
from deploy.local.security import SUPER_USER, read_environment
from deploy.local.settings import DEFAULT_PORT, LocalSettings
from deploy.local.state import BrokerState, Kind, clear_state, read_state, write_state

LOCK_TIMEOUT_S = 300
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class UpResult:
    """What `up` found or did."""

    state: BrokerState
    started: bool
    """False when it was running already."""


@dataclass(frozen=True, slots=True)
class DownResult:
    """What `down` found or did."""

    stopped: tuple[int | str, ...]
    """Process ids, or container names, that were running and no longer are."""
    graceful: bool
    wiped: bool


def up(
    settings: LocalSettings,
    *,
    port: int | None = None,
    kind: Kind = "process",
    secure: bool = False,
    notice: Notice = lambda _: None,
    progress: jars.Progress | None = None,
) -> UpResult:
    """Make sure the local broker runs, and return where.

    `port` None takes 9092, or a free one when that is taken; 0 takes any free one; another number
    that is taken is a UsageError. `secure`: with TLS, users and rights; once its data are made
    so, they stay so. Raises a DeployError that says why when it cannot start.
    """
    if secure and kind == "docker":
        raise UsageError(
            "A secured broker runs as a process, not in Docker.",
            hint="Leave out --broker docker, or secure the container by your own means.",
        )
    with _lock(settings):
        state = _living(settings)
        if state is not None:
            _require_answer(state, settings)
            if secure and not state.environment:
                notice(
                    "The broker runs without security; for one with it, run `mgeo down --wipe` "
                    "and `mgeo up --secure`."
                )
            if port and state.bootstrap_servers != f"{HOST}:{port}":
                notice(
                    f"The broker runs at {state.bootstrap_servers} already; to move it, run "
                    f"`mgeo down` first."
                )
            return UpResult(state, started=False)
        if read_state(settings.broker_dir) is not None:
            notice("The broker had ended without `mgeo down`; starting it again on its data.")
            clear_state(settings.broker_dir)
        chosen = _choose_port(port, notice)
        if kind == "docker":
            state = DockerBroker(settings).start(chosen)
            write_state(settings.broker_dir, state)
        else:
            secure = secure or (settings.broker_dir / SECURITY).exists()
            state = _start_process(settings, chosen, secure, progress)
        return UpResult(state, started=True)


def down(settings: LocalSettings, *, wipe: bool = False) -> DownResult:
    """Stop the local broker, leaving nothing of it running; `wipe` removes its records too."""
    with _lock(settings):
        state = read_state(settings.broker_dir)
        stopped: list[int | str] = []
        graceful = True
        docker = DockerBroker(settings)
        in_docker = (state is not None and state.kind == "docker") or (wipe and docker.has_volume)
        if in_docker and docker.stop(wipe=wipe):
            stopped.append(docker.name)
        for process in _processes(settings):
            graceful &= end_process(process, settings.broker_stop_timeout_s)
            stopped.append(process.pid)
        if stopped and graceful and state is not None and state.archive:
            jvm.ClassArchive(Path(state.archive)).adopt(settings.broker_dir / "classes.jsa")
        clear_state(settings.broker_dir)
        wiped = wipe and settings.broker_dir.exists()
        if wipe:
            _wipe(settings.broker_dir)
    return DownResult(tuple(stopped), graceful, wiped)


def current(settings: LocalSettings) -> BrokerState | None:
    """The broker that `up` started, if its process or container still exists."""
    state = read_state(settings.broker_dir)
    if state is None:
        return None
    if state.kind == "docker":
        return state if DockerBroker(settings).is_running() else None
    return state if find_process(state.pid, state.create_time) else None


def client_of(state: BrokerState) -> KafkaSettings:
    """How the broker of `up` is reached: by its super user where it is secured.

    Raises a UsageError when its own file of that is gone.
    """
    if not state.environment:
        return plainly(state.bootstrap_servers)
    try:
        found = read_environment(Path(state.environment))
    except OSError as error:
        raise UsageError(
            f"{state.environment}, which says how the local broker is reached, cannot be read.",
            hint="Stop the broker with `mgeo down`; `mgeo up` writes the file again.",
        ) from error
    return found.model_copy(update={"kafka_bootstrap_servers": state.bootstrap_servers})


def _start_process(
    settings: LocalSettings, port: int, secure: bool, progress: jars.Progress | None
) -> BrokerState:
    states: list[BrokerState] = []

    def record(broker: LocalBroker) -> None:
        # Before it answers: an `up` that is killed while waiting must not lose track of it.
        state = BrokerState(
            kind="process",
            bootstrap_servers=broker.bootstrap_servers,
            data_dir=str(broker.data_dir),
            kafka_version=jars.pinned().kafka_version,
            pid=broker.pid,
            create_time=broker.create_time,
            archive=str(broker.archive_target or ""),
            environment=str(
                broker.security.environment_file(SUPER_USER) if broker.security else ""
            ),
        )
        write_state(settings.broker_dir, state)
        states.append(state)

    broker = LocalBroker(
        settings,
        work_dir=settings.broker_dir,
        port=port,
        detached=True,
        secure=secure,
        progress=progress,
        on_spawn=record,
    )
    try:
        broker.start()
    except BaseException:
        clear_state(settings.broker_dir)
        raise
    return states[-1]


def _living(settings: LocalSettings) -> BrokerState | None:
    state = current(settings)
    if state is None:
        # A broker whose `up` was killed between its start and the state file: end it, since it
        # holds the data folder's lock and nobody knows its port.
        for process in _processes(settings):
            end_process(process, settings.broker_stop_timeout_s)
    return state


def _require_answer(state: BrokerState, settings: LocalSettings) -> None:
    host, _, port = state.bootstrap_servers.partition(":")
    ready = wait_until_ready(
        host,
        int(port),
        timeout_s=settings.broker_start_timeout_s,
        alive=lambda: current(settings) is not None,
        client=client_of(state),
    )
    if not ready:
        raise BrokerStartError(
            f"The broker at {state.bootstrap_servers} is running but does not answer.",
            hint="Stop it with `mgeo down` and run `mgeo up` again; committed records are kept.",
        )


def _choose_port(port: int | None, notice: Notice) -> int:
    if port == 0:
        return ports.free_port()
    if port is not None:
        if not ports.is_free(port):
            raise UsageError(
                f"Port {port} is in use by another program.",
                hint="Choose another with --port, or leave --port out to take a free one.",
            )
        return port
    if ports.is_free(DEFAULT_PORT):
        return DEFAULT_PORT
    chosen = ports.free_port()
    notice(f"Port {DEFAULT_PORT} is in use by another program; using {chosen} instead.")
    return chosen


def _processes(settings: LocalSettings) -> list[psutil.Process]:
    """Every JVM of ours on this broker folder, whether or not a state file names it.

    Also one that formats: an `up` that was killed leaves it to go on writing.
    """
    inside = f"{settings.broker_dir}{os.sep}"
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []  # empty for zombies and for other users' own
        mains = (jvm.MAIN_BROKER, jvm.MAIN_STORAGE)
        if any(main in command for main in mains) and command[-1].startswith(inside):
            found.append(process)
    return found


def _wipe(broker_dir: Path) -> None:
    if not broker_dir.exists():
        return
    for entry in broker_dir.iterdir():
        if entry.name == ".lock":  # held by us; the next `up` uses it
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@contextmanager
def _lock(settings: LocalSettings) -> Iterator[None]:
    settings.broker_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(settings.broker_dir / ".lock", timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout:
        raise DeployError(
            f"Another `mgeo up` or `mgeo down` has been at work for {LOCK_TIMEOUT_S} s.",
            hint="Wait for it to end, or end it, and run the command again.",
        ) from None
