"""Waiting for a rollout: follows the control topic, shows why it waits, ends with an exit code.

It never changes anything: a waiter that is stopped leaves the rollout running.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from deploy.cli import exit_codes
from deploy.cli.output import note
from deploy.cli.rollout_exits import exit_of

if TYPE_CHECKING:
    from contracts.phases import Phase
    from rollout.client import RolloutClient
    from rollout.standing import Standing


@dataclass(frozen=True, slots=True)
class Waited:
    """How waiting ended.

    Attributes:
        code: the exit code.
        standing: the last that was seen; None when the state never came.
        stopped: by ``timeout`` or ``signal``; empty when the rollout itself gave the answer.
    """

    code: int
    standing: Standing | None
    stopped: str = ""


async def wait_for(
    client: RolloutClient,
    rollout_id: str,
    *,
    until: Phase,
    timeout_s: float | None,
    on_standing: Callable[[Standing], None],
) -> Waited:
    """Wait until a rollout has reached a phase, or cannot any more.

    Args:
        client: follows the state.
        rollout_id: the rollout.
        until: the phase.
        timeout_s: at most so long; None waits for ever.
        on_standing: told of everything that is seen.

    Raises:
        BackendUnreachableError: Kafka was away for too long; the rollout may go on.
    """
    last: list[Standing] = []

    def seen(standing: Standing) -> None:
        last[:] = [standing]
        on_standing(standing)

    def stopped(by: str) -> Waited:
        return Waited(exit_codes.TIMED_OUT, last[0] if last else None, by)

    told = _StopSignals()
    try:
        with told:
            async with asyncio.timeout(timeout_s):
                return await _until(client, rollout_id, until, seen)
    except TimeoutError:
        return stopped("timeout")
    except asyncio.CancelledError:
        if not told.name:
            raise
        return stopped(told.name)


async def _until(
    client: RolloutClient, rollout_id: str, until: Phase, seen: Callable[[Standing], None]
) -> Waited:
    from deploy.rollouts import find_standing
    from rollout.standing import standing_of

    async with aclosing(client.follow()) as states:
        async for state in states:
            standing = standing_of(state)
            if standing is None or standing.rollout_id != rollout_id:
                # Another one has started since: how ours ended stands in the audit.
                standing = await find_standing(client, rollout_id)
            seen(standing)
            code = exit_code(standing, until)
            if code is not None:
                return Waited(code, standing)
            if not standing.current:  # history does not move any more
                return Waited(exit_codes.FAILED, standing)
    raise AssertionError("following a topic has no end")


def exit_code(standing: Standing, until: Phase) -> int | None:
    """What to leave with, where a rollout stands; None while there is something to wait for."""
    judgement = standing.judgement
    return exit_of(
        standing.phase,
        code=standing.rollout.code,
        verdict=judgement.verdict if judgement else None,
        verdict_code=judgement.code if judgement else "",
        approved=standing.rollout.approval is not None,
        until=until,
    )


class _StopSignals:
    """Inside it, SIGTERM and SIGINT cancel the task instead of ending the process."""

    def __init__(self) -> None:
        self.name = ""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            self.name = number.name
            if task is not None:
                task.cancel()

        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop, number)
        except (RuntimeError, ValueError):  # not the main thread: nobody sends it signals
            pass
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """A signal inside it ends the command with a word on what that leaves behind.

    Raises:
        TransientError: ``stopped_asking``.
    """
    from contracts.errors import TransientError

    told = _StopSignals()
    try:
        with told:
            yield
    except asyncio.CancelledError:
        if not told.name:
            raise
        raise TransientError(
            f"stopped by {told.name} before there was an answer",
            code="stopped_asking",
            hint="what was asked may still be done: run the same command again, which does "
            "nothing twice, or look at mgeo rollout status",
        ) from None


@contextmanager
def asking() -> Iterator[None]:
    """Waiting for the controller's answer: a person is told of it, and a signal ends it."""
    with stoppable():
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.status import Status

        with Status("waiting for the controller’s answer", console=Console(stderr=True)):
            yield


@contextmanager
def progress_line() -> Iterator[Callable[[Standing], None]]:
    """Shows a person what is waited for; in a pipe one line per phase, and no spinner."""
    told: list[str] = []

    def phase_line(standing: Standing) -> None:
        line = _phase_line(standing)
        if told[-1:] != [line]:
            told.append(line)
            note(f"{datetime.now(UTC):%H:%M:%S} {line}")

    if not sys.stderr.isatty():
        yield phase_line
        return
    from rich.console import Console
    from rich.status import Status

    spinner = _Spinner()
    with Status("", console=Console(stderr=True), spinner="dots") as status:
        status.update(spinner)

        def show(standing: Standing) -> None:
            phase_line(standing)
            spinner.standing = standing

        yield show


def _phase_line(standing: Standing) -> str:
    from contracts.phases import Phase
    from deploy.cli.rollout_view import printable
    from rollout.progress import waits_for

    paused = ", paused" if standing.paused else ""
    step = f" step {standing.rollout.step + 1}" if standing.phase is Phase.CANARY else ""
    # Shadow workers may have to be started first, machines and all: say that this is the reason.
    why = f": waits for {waits_for(standing, datetime.now(UTC))}" if _calls(standing) else ""
    return printable(f"{standing.rollout_id} {standing.phase}{step}{paused}{why}")


def _calls(standing: Standing) -> bool:
    from contracts.phases import Phase

    return standing.phase is Phase.WARMING and not standing.paused


class _Spinner:
    """The line beside the spinner: rendered again and again, so that times in it run down."""

    def __init__(self) -> None:
        self.standing: Standing | None = None

    def __rich__(self) -> Any:
        from rich.text import Text

        from deploy.cli.rollout_view import printable
        from rollout.progress import waits_for

        standing = self.standing
        if standing is None:
            return Text("reading the control topic")
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(str(standing.phase), style="bold")
        line.append(printable(f"  waits for {waits_for(standing, datetime.now(UTC))}"))
        return line


def say_how_it_ended(waited: Waited, *, rollout_id: str, again: str) -> None:
    """The last words of a waiting command, for people.

    Args:
        waited: how it ended.
        rollout_id: of the rollout.
        again: the command that attaches again.
    """
    from deploy.cli.rollout_view import printable
    from rollout.progress import waits_for

    rollout_id, again = printable(rollout_id), printable(again)
    standing = waited.standing
    if standing is None:
        note(f"Stopped waiting before the control topic was read. Attach again: {again}")
        return
    now = datetime.now(UTC)
    if waited.stopped:
        why = "timed out" if waited.stopped == "timeout" else f"stopped by {waited.stopped}"
        waits = waits_for(standing, now)
        note(
            printable(
                f"Waiting {why}; {rollout_id} goes on in {standing.phase}: it waits for {waits}"
            )
        )
        note(f"Attach again: {again}")
        return
    words = standing.rollout.reason or standing.rollout.code
    note(printable(f"{rollout_id} is in {standing.phase}" + (f": {words}" if words else ".")))
    if waited.code == exit_codes.AWAITING_APPROVAL:
        note(f"Approve it: mgeo rollout approve {rollout_id} --key FILE")
    elif waited.code != exit_codes.OK:
        note(f"More: mgeo rollout status {rollout_id}, mgeo rollout report {rollout_id} --out DIR")
