"""Docker or podman, by their command line: building, running and asking containers.

Docker where its daemon answers, else podman, which needs none. Containers share this machine's
network, so that they reach a broker of the tests and nothing has to be published.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PODMAN_CONFIGURATION = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
compat_api_enforce_docker_hub = false
[containers]
cgroupns = "host"
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""
READ_ONLY = (
    *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),  # noqa: S108 - inside the container
    *("--security-opt", "no-new-privileges"),
)
"""As the Compose file and the manifests run the images."""


@dataclass(frozen=True)
class Engine:
    """One of the two programs, with what it needs on this machine."""

    program: str
    environment: Mapping[str, str] = field(default_factory=dict)
    build_options: Sequence[str] = ()

    def __call__(
        self, *arguments: str, check: bool = True, timeout_s: float = 300, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *arguments],
            env={**os.environ, **self.environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        if check and done.returncode:
            raise AssertionError(f"{self.program} {arguments[0]}: {done.stdout}{done.stderr}")
        return done

    def build(
        self, tag: str, *, target: str, file: Path, context: Path, arguments: Mapping[str, str]
    ) -> str:
        """Build a target; what was built before is not built again. Returns the tag."""
        given = [o for name, value in arguments.items() for o in ("--build-arg", f"{name}={value}")]
        self(
            *("build", *self.build_options, "--target", target, "--tag", tag, *given),
            *("--file", str(file), str(context)),
            timeout_s=3600,
        )
        return tag

    @contextmanager
    def socket(self, work: Path) -> Iterator[Mapping[str, str]]:
        """Environment in which Docker's own programs talk to this engine.

        While it is open somebody looks after the health checks: podman leaves that to systemd.
        """
        if self.program == "docker":
            yield {}
            return
        address = f"unix://{work / 'podman.sock'}"
        service = subprocess.Popen(
            [self.program, "system", "service", "--time=0", address],
            env={**os.environ, **self.environment},
        )
        closing = threading.Event()
        looking = threading.Thread(target=self._look_after_health, args=(closing,))
        looking.start()
        try:
            yield {"DOCKER_HOST": address}
        finally:
            closing.set()
            looking.join()
            service.terminate()
            service.wait()

    def _look_after_health(self, closing: threading.Event) -> None:
        while not closing.wait(2):
            for name in self("ps", "--quiet", check=False).stdout.split():
                self("healthcheck", "run", name, check=False)

    def inspect(self, image: str) -> dict[str, Any]:
        """What the image says of itself."""
        found: dict[str, Any] = json.loads(self("image", "inspect", image).stdout)[0]
        return found

    def layer_bytes(self, image: str) -> list[int]:
        """Bytes of every layer that is not empty, from the bottom up, as they lie on disk."""
        if self.program == "podman":  # its templates round sizes for people, whatever is asked
            steps = json.loads(self("history", "--format", "json", image).stdout)
            sizes = [int(step["size"]) for step in steps]
        else:
            shown = self("history", "--human=false", "--format", "{{.Size}}", image).stdout
            sizes = [int(size) for size in shown.split()]
        return [size for size in reversed(sizes) if size > 0]

    def start(
        self,
        image: str,
        *command: str,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = READ_ONLY,
    ) -> Container:
        """Run a container in the background."""
        name = f"mgeo-test-{uuid.uuid4().hex[:8]}"
        given = [f"--env={key}={value}" for key, value in (environment or {}).items()]
        self("run", "--detach", "--name", name, "--network=host", *options, *given, image, *command)
        return Container(self, name)

    def output(
        self,
        image: str,
        *command: str,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = READ_ONLY,
    ) -> subprocess.CompletedProcess[str]:
        """Run a container to its end; on this machine's network unless the options name another."""
        given = [f"--env={key}={value}" for key, value in (environment or {}).items()]
        if not any(option.startswith("--network=") for option in options):
            given.append("--network=host")
        return self(
            *("run", "--rm", *options, *given, image, *command),
            check=False,
            timeout_s=1200,
        )


@dataclass(frozen=True)
class Container:
    """A container that was started."""

    engine: Engine
    name: str

    def state(self) -> dict[str, Any]:
        """Running, ExitCode, Pid, Health … as the engine has them."""
        found = self.engine("container", "inspect", self.name).stdout
        state: dict[str, Any] = json.loads(found)[0]["State"]
        return state

    def health(self) -> str:
        """``healthy``, ``unhealthy`` or ``starting``; podman has to be told to look."""
        if self.engine.program == "podman":
            self.engine("healthcheck", "run", self.name, check=False)
        state = self.state()
        return str((state.get("Health") or state.get("Healthcheck") or {}).get("Status"))

    def wait_until(self, holds: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
        """Return once it holds.

        Raises:
            AssertionError: it ended before, or took too long; with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert self.state()["Running"], f"it ended:\n{self.logs()}"
            assert time.monotonic() < deadline, f"not {what}:\n{self.logs()}"
            time.sleep(0.5)

    def logs(self) -> str:
        """The end of what it wrote."""
        done = self.engine("logs", "--tail", "40", self.name, check=False)
        return done.stdout + done.stderr

    def terminate(self, grace_s: int = 40) -> int:
        """SIGTERM, and SIGKILL after the grace; its exit code (137 after a kill)."""
        self.engine("stop", "--time", str(grace_s), self.name)
        return int(self.state()["ExitCode"])

    def remove(self) -> None:
        """Whatever it does."""
        self.engine("rm", "--force", self.name, check=False)


def find_engine(work: Path) -> Engine | None:
    """The engine of this machine, or None.

    Args:
        work: gets podman's configuration.
    """
    if shutil.which("docker") and _answers(["docker", "info"]):
        return Engine("docker", {"DOCKER_BUILDKIT": "1"}, ("--network=host",))
    if shutil.which("podman") is None:
        return None
    configuration = work / "containers.conf"
    configuration.write_text(_PODMAN_CONFIGURATION)
    environment = {
        "CONTAINERS_CONF": str(configuration),
        # No systemd is asked to look at the health: `Container.health` does it.
        "DISABLE_HC_SYSTEMD": "true",
    }
    # The package index of this machine may want its own authorities and settings.
    mounts = [
        option
        for path in ("/etc/ssl/certs", "/etc/pip.conf")
        if Path(path).exists()
        for option in ("--volume", f"{path}:{path}:ro")
    ]
    # The OCI format has no health check.
    return Engine(
        "podman", environment, ("--isolation", "chroot", "--format", "docker", "--layers", *mounts)
    )


def _answers(command: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, check=False, timeout=20)
    return done.returncode == 0
