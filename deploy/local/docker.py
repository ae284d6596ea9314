"""The same broker in a container, through the docker command, for those who prefer that.

One container and one volume per broker folder, named after it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess

from deploy.errors import BrokerStartError, DockerUnavailableError
from deploy.local import properties
from deploy.local.readiness import wait_until_ready
from deploy.local.settings import LocalSettings
from deploy.local.state import BrokerState

HOST = "127.0.0.1"
CONTROLLER_PORT = 29093
VOLUME_MARKER = "docker-volume"
"""File in the broker folder that outlives the container: `down --wipe` must find the volume."""
DATA = "/var/lib/kafka/data"


def environment(port: int, *, controller_port: int = CONTROLLER_PORT) -> dict[str, str]:
    """The broker's settings as the Kafka image reads them from environment variables.

    The image turns ``_`` into ``.``, ``__`` into ``_`` and ``___`` into ``-``. Inside the container
    the broker listens on every interface; docker publishes the port on this machine alone.
    """
    settings = properties.server_properties(
        host=HOST,
        port=port,
        controller_port=controller_port,
        data_dir=DATA,
        overrides={
            "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{controller_port}",
        },
    )
    return {variable(name): value for name, value in settings.items()}


def variable(name: str) -> str:
    """The environment variable of one broker setting, ``log.dirs`` → ``KAFKA_LOG_DIRS``."""
    escaped = name.replace("_", "__").replace("-", "___").replace(".", "_")
    return f"KAFKA_{escaped.upper()}"


class DockerBroker:
    """Starts and stops the container that belongs to one broker folder."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        key = hashlib.sha256(str(settings.broker_dir).encode()).hexdigest()[:8]
        self.name = f"mgeo-kafka-{key}"
        self._volume = f"{self.name}-data"

    def start(self, port: int) -> BrokerState:
        """Start the container and wait for its first answer.

        Raises DockerUnavailableError, or BrokerStartError with the end of the container's log.
        """
        self._docker("rm", "--force", self.name, check=False)
        variables = [
            option for item in environment(port).items() for option in ("--env", "=".join(item))
        ]
        heap = f"KAFKA_HEAP_OPTS=-Xmx{self._settings.broker_heap_mib}m"
        network = self._settings.docker_network
        where = ("--network", network) if network else ("--publish", f"{HOST}:{port}:{port}")
        marker = self._settings.broker_dir / VOLUME_MARKER
        marker.write_text(self._volume, encoding="utf-8")
        try:
            self._docker(
                *("run", "--detach", "--name", self.name, *where),
                *("--volume", f"{self._volume}:{DATA}"),
                *("--env", heap),
                *variables,
                self._settings.docker_image,
            )
        except DockerUnavailableError:
            self._docker("rm", "--force", self.name, check=False)
            raise
        timeout_s = self._settings.broker_start_timeout_s
        if not wait_until_ready(HOST, port, timeout_s=timeout_s, alive=self.is_running):
            log = self._docker("logs", "--tail", "30", self.name, check=False)
            self.stop(wipe=False)
            raise BrokerStartError(
                f"The container {self.name} did not become a broker that answers.",
                hint="Its last words are below.",
                details=log,
            )
        return BrokerState(
            kind="docker",
            bootstrap_servers=f"{HOST}:{port}",
            data_dir=f"docker volume {self._volume}",
            kafka_version=self._settings.docker_image.rpartition(":")[2],
            container=self.name,
        )

    def is_running(self) -> bool:
        """Whether the container runs now."""
        if shutil.which("docker") is None:
            return False
        state = self._docker("inspect", "--format", "{{.State.Running}}", self.name, check=False)
        return state.strip() == "true"

    def stop(self, *, wipe: bool) -> bool:
        """Stop and remove the container, and with `wipe` its volume; true when it was running."""
        running = self.is_running()
        timeout = str(int(self._settings.broker_stop_timeout_s))
        if running:
            self._docker("stop", "--time", timeout, self.name)
        self._docker("rm", "--force", self.name, check=False)
        if wipe:
            self._docker("volume", "rm", "--force", self._volume)
        return running

    @property
    def has_volume(self) -> bool:
        """Whether a container of this broker folder ever kept records."""
        return (self._settings.broker_dir / VOLUME_MARKER).is_file()

    def _docker(self, *arguments: str, check: bool = True) -> str:
        program = shutil.which("docker")
        if program is None:
            raise DockerUnavailableError(
                "The docker command was not found.",
                hint="Install Docker, or leave --broker out: the default needs only Python.",
            )
        result = subprocess.run(  # noqa: S603 - a found program and our own arguments
            [program, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
            check=False,
        )
        if check and result.returncode != 0:
            raise DockerUnavailableError(
                f"`docker {arguments[0]}` failed.",
                hint="See what docker said below; is its daemon running?",
                details=result.stderr.strip()[-2000:],
            )
        return result.stdout + ("" if check else result.stderr)
