"""One real Kafka broker on this machine: start it, stop it, and hurt it in tests.

Composes jars, Java, data folder and process; the rules of each live in its own module.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from contracts.settings import KafkaSettings
from deploy.errors import BrokerStartError, DataFolderError, DiskFullError
from deploy.local import failure, jars, jvm, ports, properties, storage
from deploy.local.java import find_java
from deploy.local.process import BrokerProcess, environment, tail
from deploy.local.readiness import plainly, wait_until_ready
from deploy.local.security import SUPER_USER, LocalSecurity
from deploy.local.settings import LocalSettings

HOST = "127.0.0.1"
START_ATTEMPTS = 3
SECURITY = "security"
"""The folder of certificates and passwords, beside the data of a secured broker."""


class LocalBroker:
    """A single-node Apache Kafka (KRaft) as a child process, from pinned jars.

    ``work_dir`` holds its data, configuration and logs and is kept when given; otherwise a
    temporary folder is used, which `stop` removes. ``port`` 0 takes a free one; the address stays
    the same over `restart`. ``detached`` lets it outlive this process. ``overrides`` are broker
    settings by Kafka's names. ``secure`` makes it listen with TLS and ask for users, with rights
    for nobody but the super user (`deploy.local.security`). ``on_spawn`` is called for each
    process started, before it answers.

    Not thread-safe. Blocking throughout: call it from a thread inside an event loop.
    """

    def __init__(
        self,
        settings: LocalSettings | None = None,
        *,
        work_dir: Path | None = None,
        port: int = 0,
        detached: bool = False,
        overrides: Mapping[str, str] | None = None,
        secure: bool = False,
        progress: jars.Progress | None = None,
        on_spawn: Callable[[LocalBroker], None] | None = None,
    ) -> None:
        self.settings = settings or LocalSettings()
        self._temporary = work_dir is None
        self.work_dir = work_dir or Path(tempfile.mkdtemp(prefix="mgeo-broker-"))
        self._fixed_port = port != 0
        self.port = port
        self.mutual_port = 0
        """Port for clients with certificates; 0 where the broker is not secured."""
        self.security: LocalSecurity | None = None
        self._secure = secure
        self._controller_port = 0
        self._detached = detached
        self._overrides = dict(overrides or {})
        self._progress = progress
        self._on_spawn = on_spawn
        self._process: BrokerProcess | None = None
        self._archive: jvm.ClassArchive | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients, ``host:port``. Fixed from the first `start` on."""
        return f"{HOST}:{self.port}"

    def client(self, user: str = SUPER_USER) -> KafkaSettings:
        """How this broker is reached; by which user matters only where it is secured."""
        if self.security is None:
            return plainly(self.bootstrap_servers)
        return self.security.client(user, self.bootstrap_servers)

    @property
    def data_dir(self) -> Path:
        return self.work_dir / "data"

    @property
    def log_file(self) -> Path:
        """The broker's own log."""
        return self.work_dir / "broker.log"

    @property
    def output_file(self) -> Path:
        """What the JVM itself printed."""
        return self.work_dir / "broker.out"

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        return self._running().pid

    @property
    def create_time(self) -> float:
        """When the broker's process started, seconds since the epoch."""
        return self._running().create_time

    @property
    def archive_target(self) -> Path | None:
        """Where the class archive belongs that the running broker may write when it stops."""
        return self._archive.path if self._archive is not None else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def start(self) -> Self:
        """Start the broker and return once it answers. Does nothing when it runs already.

        Raises a `deploy.errors.DeployError` that says why: no Java, no or wrong jars, a full
        disk, an unusable data folder, or a broker that ended (with the end of its log).
        """
        if self.is_running:
            return self
        try:
            self._launch()
        except OSError as error:
            self._abandon()
            if error.errno in storage.DISK_FULL_ERRNOS:
                self._raise(failure.FULL_DISK)
            raise
        except BaseException:
            self._abandon()
            raise
        return self

    def _abandon(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._temporary:
            shutil.rmtree(self.work_dir, ignore_errors=True)

    def stop(self) -> None:
        """Stop in good order, killing after the time allowed. Removes a temporary folder."""
        self._halt()
        if self._temporary:
            shutil.rmtree(self.work_dir, ignore_errors=True)

    def restart(self) -> None:
        """Stop in good order if running, and start again on the same address and data."""
        self._halt()
        self.start()

    def kill(self) -> None:
        """SIGKILL, as a power cut; the data stays for the next `start`."""
        self._running().kill()
        self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._running().signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self._running().signal(signal.SIGCONT)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the broker's log and of what the JVM printed."""
        parts = (tail(self.output_file, lines), tail(self.log_file, lines))
        return "\n".join(part for part in parts if part)

    def run_tool(self, main: str, *arguments: str) -> str:
        """Run one of Kafka's own Java tools, by its class name, and return what it printed.

        `kafka.tools.DumpLogSegments` reads segments of `data_dir`, also while the broker runs.
        Raises CalledProcessError when the tool fails.
        """
        settings = self.settings
        java = find_java(settings.java)
        classpath = jars.classpath(settings.cache_dir, repository=settings.maven_repository)
        flags = jvm.base_flags(java, settings.broker_heap_mib)
        result = subprocess.run(  # noqa: S603 - our own command line
            jvm.command(java, flags, classpath, main, arguments),
            capture_output=True,
            text=True,
            check=True,
            env=environment(),
            cwd=self.work_dir,
        )
        return result.stdout

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> BrokerProcess:
        if self._process is None:
            raise RuntimeError("the broker is not running: call start() first")
        return self._process

    def _halt(self) -> None:
        if self._process is None:
            return
        graceful = self._process.stop(self.settings.broker_stop_timeout_s)
        self._process = None
        if graceful and self._archive is not None:  # killed, it may have left half an archive
            self._archive.adopt(self._archive_scratch)
        self._archive = None

    @property
    def _archive_scratch(self) -> Path:
        return self.work_dir / "classes.jsa"

    def _launch(self) -> None:
        settings = self.settings
        storage.require_free_disk(self.work_dir, settings.broker_min_free_disk_mib)
        java = find_java(settings.java)
        classpath = jars.classpath(
            settings.cache_dir, repository=settings.maven_repository, progress=self._progress
        )
        # Records are addresses: other users of this machine have no business with them.
        self.work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._require_same_security()
        if self._secure:
            self.security = LocalSecurity.prepare(self.work_dir / SECURITY)
        self._archive_scratch.unlink(missing_ok=True)
        archive = jvm.ClassArchive.of(
            settings.cache_dir, java, classpath, jars.pinned().digest, settings.broker_heap_mib
        )
        flags = jvm.base_flags(java, settings.broker_heap_mib)
        if storage.prepare_folder(self.data_dir):
            shared = [] if not archive.path.is_file() else archive.flags(self._archive_scratch)
            storage.format_folder(
                self.data_dir,
                lambda folder: self._properties(folder, port=1, controller_port=2),
                jvm.command(java, [*flags, *shared], classpath, jvm.MAIN_STORAGE, []),
                settings.broker_start_timeout_s,
                self.security.format_arguments() if self.security is not None else (),
            )

        log4j2 = self.work_dir / "log4j2.xml"
        log4j2.write_text(properties.log4j2_config(settings.broker_log_level), encoding="utf-8")
        flags += [
            f"-Dlog4j2.configurationFile={log4j2.absolute().as_uri()}",
            f"-Dmgeo.log={self.log_file}",
            *archive.flags(self._archive_scratch),
        ]
        config = self.work_dir / "server.properties"
        command = jvm.command(java, flags, classpath, jvm.MAIN_BROKER, [str(config)])
        for attempt in range(1, START_ATTEMPTS + 1):
            self._choose_ports(again=attempt > 1)
            config.write_text(
                self._properties(self.data_dir, self.port, self._controller_port), encoding="utf-8"
            )
            self._archive = archive
            cause = self._run_once(command)
            if cause is None:
                return
            if cause.code != failure.PORT_TAKEN or attempt == START_ATTEMPTS:
                self._raise(cause)

    def _require_same_security(self) -> None:
        """Users are written when the data folder is made: it stays with or without them."""
        formatted = storage.inspect_folder(self.data_dir) is storage.FolderState.FORMATTED
        secured = (self.work_dir / SECURITY).exists()
        if formatted and secured != self._secure:
            how = "with" if secured else "without"
            option = "add" if secured else "leave out"
            raise DataFolderError(
                f"The broker's data folder {self.data_dir} was made {how} security.",
                hint=f"Either {option} --secure, or give its records up with: mgeo down --wipe",
            )

    def _properties(self, folder: Path, port: int, controller_port: int) -> str:
        secured: Mapping[str, str] = {}
        if self.security is not None:
            secured = self.security.broker_properties(
                host=HOST,
                port=port,
                mutual_port=self.mutual_port or 3,  # formatting opens none
                controller_port=controller_port,
            )
        return properties.render(
            properties.server_properties(
                host=HOST,
                port=port,
                controller_port=controller_port,
                data_dir=folder,
                overrides={**secured, **self._overrides},
            )
        )

    def _choose_ports(self, *, again: bool) -> None:
        if not self.port or (again and not self._fixed_port):
            self.port = ports.free_port()
        if not self._controller_port or again:
            self._controller_port = ports.free_port()
        if self._secure and (not self.mutual_port or again):
            self.mutual_port = ports.free_port()

    def _run_once(self, command: list[str]) -> failure.Cause | None:
        """Start the process and wait for its first answer; None when it serves."""
        self.output_file.unlink(missing_ok=True)
        before = self.log_file.stat().st_size if self.log_file.exists() else 0
        process = BrokerProcess(
            command, cwd=self.work_dir, output=self.output_file, detached=self._detached
        )
        self._process = process
        if self._on_spawn is not None:
            self._on_spawn(self)
        timeout_s = self.settings.broker_start_timeout_s
        ready = wait_until_ready(
            HOST,
            self.port,
            timeout_s=timeout_s,
            alive=process.is_alive,
            client=self.client(),
        )
        if ready and process.is_alive():
            if self.security is not None:
                self.security.write_environments(self.bootstrap_servers)
            return None
        ended = not process.is_alive()
        process.kill()
        self._process = None
        if not ended:
            return failure.Cause(
                failure.UNKNOWN,
                f"The broker did not answer within {timeout_s:g} s.",
                "The machine may be overloaded: raise MGEO_BROKER_START_TIMEOUT_S.",
            )
        cause = failure.explain(tail(self.output_file, 200) + self._log_since(before))
        if cause.code == failure.UNKNOWN and storage.is_full(self.work_dir):
            return failure.FULL_DISK  # on a full disk the log's last lines are missing
        return cause

    def _log_since(self, offset: int) -> str:
        if not self.log_file.exists() or self.log_file.stat().st_size < offset:
            return tail(self.log_file, 200)
        with self.log_file.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")

    def _raise(self, cause: failure.Cause) -> NoReturn:
        error = DiskFullError if cause.code == failure.DISK_FULL else BrokerStartError
        raise error(cause.message, hint=cause.hint, details=self.log_tail())
