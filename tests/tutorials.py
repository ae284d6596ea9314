"""Types a tutorial: every shell block of a page, in order, as a person with several terminals.

What never ends by itself gets a terminal of its own and stays, or is looked at for a moment.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[1]
SERVICES: Final = (
    "mgeo worker",
    "mgeo rollout controller",
    "mgeo gateway",
    "python -m deploy.demo",
)
WATCHED: Final = ("mgeo results --follow", "mgeo rollout watch")
LOOK_S: Final = 15.0


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page, with what follows a ``#`` on a line taken away."""
    found = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [re.sub(r"\s{2,}# .*$", "", block, flags=re.MULTILINE) for block in found]


def is_service(block: str) -> bool:
    """Whether a block ends in something that runs until it is stopped."""
    return any(line.startswith(SERVICES) for line in block.splitlines())


@dataclass
class Typed:
    """One block and what came of it.

    Attributes:
        block: what was typed.
        out: standard output.
        err: standard error.
        failed: the commands in it that left with something else than 0, a line each.
        seconds: how long it took.
    """

    block: str
    out: str
    err: str
    failed: str
    seconds: float


@dataclass
class Typist:
    """A person at a machine of their own: home folder, caches and store are in ``home``.

    Args:
        home: an empty folder; a copy of the project is made in it.
        cache_dir: where downloaded jars are.
    """

    home: Path
    cache_dir: Path
    typed: list[Typed] = field(default_factory=list)
    _services: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.clone = self.home / "mgeo-stream"
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            target = self.clone / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        programs = self.home / "bin"
        programs.mkdir()
        # Not the installed program: it may be another copy of the project.
        (programs / "mgeo").write_text(f'#!/bin/sh\nexec {sys.executable} -m deploy.cli "$@"\n')
        (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        prefix = Path(sys.executable).parent.parent
        # `make` shall use what is installed, and install nothing: that would be the copy.
        (programs / "make").write_text(
            f"#!/bin/sh\nexec {shutil.which('make')} VENV={prefix} "
            f'-o {prefix}/.tests -o {prefix}/.runtime "$@"\n'
        )
        for program in programs.iterdir():
            program.chmod(0o755)
        self._environment = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "MGEO_CACHE_DIR": str(self.cache_dir),
            "MGEO_STATE_DIR": str(self.home / "broker"),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.clone),
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for service in self._services:
            stop(service)
        subprocess.run(
            ["mgeo", "down", "--wipe"],
            cwd=self.clone,
            env=self._environment,
            check=False,
            capture_output=True,
        )

    def type(self, block: str) -> Typed | None:
        """Type a block; None for a service, which goes on running."""
        if is_service(block):
            log = self.home / f"service-{len(self._services)}.log"
            with log.open("wb") as file:
                service = subprocess.Popen(
                    ["bash", "-c", self._exported() + block],
                    cwd=self.clone,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._services.append(service)
            return None
        typed = self._run(block)
        self.typed.append(typed)
        return typed

    def check_services(self) -> None:
        """Fail with its last words where a service has ended."""
        for number, service in enumerate(self._services):
            if service.poll() is not None:
                said = (self.home / f"service-{number}.log").read_text("utf-8", "replace")
                raise AssertionError(f"a service left with {service.returncode}:\n{said[-3000:]}")

    @property
    def _variables(self) -> Path:
        return self.home / "variables"

    def _exported(self) -> str:
        """What earlier blocks exported: it holds in every terminal from then on."""
        return self._variables.read_text("utf-8") if self._variables.exists() else ""

    def _run(self, block: str) -> Typed:
        looked_at = any(line.startswith(WATCHED) for line in block.splitlines())
        failed = self.home / "failed"
        failed.unlink(missing_ok=True)
        noting = f"trap 'echo \"$BASH_COMMAND\" >> {failed}' ERR\n"
        script = f"{noting}{block}\nexport -p > {self._variables}\n"
        began = time.monotonic()
        with _terminal(answers=b"y\n" * 3) as terminal:
            process = subprocess.Popen(
                ["bash", "-c", self._exported() + script],
                cwd=self.clone,
                env=self._environment,
                stdin=terminal,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            try:
                out, err = process.communicate(timeout=LOOK_S if looked_at else 1500)
            except subprocess.TimeoutExpired:
                if not looked_at:
                    raise
                out, err = _interrupted(process)
        return Typed(
            block,
            out.decode("utf-8", "replace"),
            err.decode("utf-8", "replace"),
            failed.read_text("utf-8") if failed.exists() and not looked_at else "",
            time.monotonic() - began,
        )


def _interrupted(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Ctrl-C, again for the next command of a block if the first hit the one before it."""
    while True:
        os.killpg(process.pid, signal.SIGINT)
        try:
            return process.communicate(timeout=LOOK_S)
        except subprocess.TimeoutExpired:
            continue


def stop(service: subprocess.Popen[bytes], patience_s: float = 60.0) -> int:
    """Stop a service as Ctrl-C in its terminal would."""
    if service.poll() is None:
        os.killpg(service.pid, signal.SIGINT)
        try:
            service.wait(patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(service.pid, signal.SIGKILL)
    return service.wait()


class _terminal:  # noqa: N801  (used like a function)
    """A terminal to read from, in which somebody has typed ahead."""

    def __init__(self, answers: bytes) -> None:
        self._answers = answers

    def __enter__(self) -> int:
        self._master, self._slave = pty.openpty()
        os.write(self._master, self._answers)
        return self._slave

    def __exit__(self, *_: object) -> None:
        os.close(self._slave)
        os.close(self._master)
