"""Starting, signalling and ending one broker process, and making sure that it never outlives us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

POLL_S = 0.02


class BrokerProcess:
    """A JVM in a session of its own, so that Ctrl-C in a terminal does not reach it.

    Unless detached, a guardian ends it when this process dies in whatever way: it waits on a pipe
    whose other end only we hold.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path, output: Path, detached: bool) -> None:
        with output.open("ab") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                list(command),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
            )
        self._guardian = None if detached else _start_guardian(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def create_time(self) -> float:
        """When the process started, seconds since the epoch: with the pid, its identity."""
        return psutil.Process(self.pid).create_time()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self, timeout_s: float) -> bool:
        """Ask the process to end and kill it after `timeout_s`; true when it ended by itself."""
        graceful = True
        if self.is_alive():
            self.signal(signal.SIGCONT)  # a stopped process would not see the next signal
            self.signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                graceful = False
                self._process.kill()
                self._process.wait()
        self._dismiss_guardian()
        return graceful

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self._process.kill()
        self._process.wait()
        self._dismiss_guardian()

    def _dismiss_guardian(self) -> None:
        if self._guardian is not None and self._guardian.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guardian.stdin.write(b"done\n")
                self._guardian.stdin.close()
            self._guardian.wait()
            self._guardian = None


def environment() -> dict[str, str]:
    """Our environment, with UTF-8 file names: under LC_ALL=C a JVM cannot open 张伟's home."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def _start_guardian(pid: int) -> subprocess.Popen[bytes]:
    # `read` fails at the end of the pipe, which comes when we are gone without having said done.
    script = f"read word || kill -KILL -{pid}"
    return subprocess.Popen(  # noqa: S603 - a fixed script and a number
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def find_process(pid: int, create_time: float) -> psutil.Process | None:
    """The process with this pid, if it is still the one that started then; ids are reused."""
    try:
        process = psutil.Process(pid)
        # Linux rounds to clock ticks of 10 ms.
        if abs(process.create_time() - create_time) > 0.05:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def end_process(process: psutil.Process, timeout_s: float) -> bool:
    """Ask a process that is not our child to end, kill it after `timeout_s`.

    True when it ended by itself.
    """
    try:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(POLL_S)
        process.kill()
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return True
    return False


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a file that may not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64 * 1024), os.SEEK_SET)
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
