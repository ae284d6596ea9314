"""Types a tutorial: every shell block of a page, in order, as a person with several terminals.

What never ends by itself gets a terminal of its own and stays until the page says Ctrl-C, or is
looked at for a moment. What a page shows below a block must really come.
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
from collections.abc import Sequence
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

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CTRL_C: Final = re.compile(r"^<!-- Ctrl-C in terminal (\d+) -->$", re.MULTILINE)
_SETTINGS: Final = re.compile(r"^(?:[A-Z][A-Z0-9_]*=\S* )+")
_COMMENT: Final = re.compile(r"(?:^[ \t]*|[ \t]{2,})# .*$", re.MULTILINE)


def fences(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page as (language, text), without what comments say."""
    return [
        (language, _COMMENT.sub("", text) if language in ("sh", "python") else text)
        for language, text in _FENCE.findall(page.read_text("utf-8"))
    ]


def interrupts(page: Path) -> list[int]:
    """The terminals in which the page has Ctrl-C pressed, in order; the first is 1."""
    return [int(number) for number in _CTRL_C.findall(page.read_text("utf-8"))]


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page, with what follows a ``#`` on a line taken away."""
    return [text for language, text in fences(page) if language == "sh"]


@dataclass(frozen=True)
class Step:
    """One thing that a page has its reader do.

    Attributes:
        block: what is typed; empty where Ctrl-C is pressed.
        shown: the lines that the page then shows; ``…`` stands for anything.
        ctrl_c: the terminal in which it is pressed, or 0.
    """

    block: str
    shown: tuple[str, ...] = ()
    ctrl_c: int = 0


def steps(page: Path) -> list[Step]:
    """What a page has its reader do, in order. A ``text`` block is what the block above shows."""
    text = page.read_text("utf-8")
    found = [*_FENCE.finditer(text), *_CTRL_C.finditer(text)]
    made: list[Step] = []
    for match in sorted(found, key=lambda match: match.start()):
        if match.re is _CTRL_C:
            made.append(Step("", ctrl_c=int(match[1])))
        elif match[1] == "sh":
            made.append(Step(_COMMENT.sub("", match[2])))
        elif match[1] == "text":
            made[-1] = Step(made[-1].block, tuple(match[2].splitlines()))
    return made


def unseen(shown: Sequence[str], *streams: str) -> list[str]:
    """Those of the shown lines that did not come, in their order, on any one of the streams.

    ``…`` in a line stands for anything, and blanks for any number of blanks. A line of ``…`` alone
    is one that is left out.
    """
    rests = [[_plain(line) for line in stream.splitlines()] for stream in streams]
    missing = []
    for line in filter(lambda line: _plain(line) not in ("", "…"), shown):
        pattern = re.compile(".*".join(map(re.escape, _plain(line).split("…"))))
        for place, rest in enumerate(rests):
            at = next((i for i, one in enumerate(rest) if pattern.fullmatch(one)), None)
            if at is not None:
                rests[place] = rest[at + 1 :]
                break
        else:
            missing.append(line)
    return missing


def _plain(line: str) -> str:
    return " ".join(line.removeprefix("\ufeff").split())


def is_service(block: str) -> bool:
    """Whether a block ends in something that runs until it is stopped."""
    commands = (_SETTINGS.sub("", line) for line in block.splitlines())
    return any(command.startswith(SERVICES) for command in commands)


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
    _stopped: set[int] = field(default_factory=set)

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

    def walk(self, page: Path) -> None:
        """Do what a page says, and hold it to what it says.

        Raises:
            AssertionError: a service ended, a command failed that the page does not ask ``$?``
                of, or something that the page shows did not come. All of it is told at the end.
        """
        wrong: list[str] = []
        for step in steps(page):
            self.check_services()
            if step.ctrl_c:
                self.press_ctrl_c(step.ctrl_c)
                continue
            typed = self.type(step.block)
            if typed is None:
                assert not step.shown, "what a service says stands in its own terminal"
                continue
            print(f"--- {typed.seconds:.0f} s\n{typed.block}{typed.out}{typed.err}")
            if typed.failed and "echo $?" not in typed.block:
                wrong.append(f"failed: {typed.failed}")
            missing = unseen(step.shown, typed.out, typed.err)
            wrong += [f"not shown after {typed.block.splitlines()[0]}: {line}" for line in missing]
        assert not wrong, "\n".join(wrong)

    def after(self, start: str) -> str:
        """What came on standard output after the first block that has this in it."""
        return next(one.out for one in self.typed if start in one.block)

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

    def press_ctrl_c(self, terminal: int) -> None:
        """In the terminal of the so many-eth service, from 1: it must leave with 0."""
        number = terminal - 1
        self._stopped.add(number)
        code = stop(self._services[number])
        assert code == 0, f"a service left with {code}:\n{self._last_words(number)}"

    def check_services(self) -> None:
        """Fail with its last words where a service has ended."""
        for number, service in enumerate(self._services):
            if number not in self._stopped and service.poll() is not None:
                said = self._last_words(number)
                raise AssertionError(f"a service left with {service.returncode}:\n{said}")

    def _last_words(self, number: int) -> str:
        return (self.home / f"service-{number}.log").read_text("utf-8", "replace")[-3000:]

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
