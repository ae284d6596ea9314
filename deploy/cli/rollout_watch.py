"""`mgeo rollout watch`: a live view of a rollout; in a pipe one line for each change."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.cluster import PrefixOption, cluster
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.settings import KafkaSettings
    from contracts.topics import TopicNames
    from deploy.cli.rollout_frame import Frame
    from rollout.client import RolloutClient
    from rollout.logs import Log
    from rollout.partitions import InputPartition
    from rollout.standing import Standing

_LOOK_EVERY_S = 1.0
_LANES_EVERY_S = 2.0
_NEWEST_PAIRS = 60
"""So many of a partition's newest pairs are read at each look: a busy stream is sampled."""


def register(group: typer.Typer) -> None:
    group.command("watch", epilog=example("mgeo rollout watch", "mgeo rollout watch --once"))(watch)


def watch(
    rollout_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Default: the one that runs or ran last.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and leave.")] = False,
    topic_prefix: PrefixOption = None,
) -> None:
    """Watch a rollout until it ends: phase, adoption, pairs, gates, and both models’ speed.

    A gate’s bar is how far its evidence is toward deciding; full, its bound has crossed the
    threshold. Ctrl-C ends watching, never the rollout.
    """
    asyncio.run(_watch(cluster(topic_prefix), rollout_id, once=once))


async def _watch(kafka: KafkaSettings, rollout_id: str | None, *, once: bool) -> None:
    from deploy.rollouts import find_standing, opener, rollout_client

    client = rollout_client(kafka)
    standing = await find_standing(client, rollout_id)
    async with _traffic_log(opener(kafka), kafka.names) as log:
        view = _View(client, standing, log)
        await view.look()
        if once:
            _print_frame(view.frame)
            return
        shown = _live(view) if sys.stdout.isatty() else _lines(view)
        following = asyncio.create_task(view.follow())
        try:
            async with shown as refresh:
                with _told_to_stop(following):
                    while not following.done():
                        refresh()
                        await asyncio.wait([following], timeout=_LOOK_EVERY_S)
                        await view.look()
                refresh()
            if not following.cancelled():
                following.result()
        finally:
            following.cancel()


class _View:
    """What is known at this moment."""

    def __init__(self, client: RolloutClient, standing: Standing, log: Log | None) -> None:
        from rollout.traffic import Traffic

        self._client = client
        self._log = log
        self._standing = standing
        self._traffic = Traffic()
        self._pace = _Pace()
        self._lanes: dict[InputPartition, Any] = {}
        self._controllers: int | None = None
        self._lanes_at = -_LANES_EVERY_S

    @property
    def frame(self) -> Frame:
        """A frame of it."""
        from contracts.phases import Phase
        from deploy.cli.rollout_frame import Frame

        standing = self._standing
        warming = standing.phase in (Phase.REGISTERED, Phase.WARMING)
        return Frame(
            standing=standing,
            now=datetime.now(UTC),
            lanes=self._lanes,
            epoch=standing.rollout.started_revision if warming else standing.serving.serving_epoch,
            traffic=self._traffic.figures,
            pairs_per_s=self._pace.per_s,
            controllers=self._controllers,
        )

    async def follow(self) -> None:
        """Take in every state until the rollout has ended."""
        from deploy.rollouts import find_standing
        from rollout.standing import standing_of

        mine = self._standing.rollout_id
        async with aclosing(self._client.follow()) as states:
            async for state in states:
                found = standing_of(state)
                if found is None or found.rollout_id != mine:
                    found = await find_standing(self._client, mine)
                self._standing = found
                self._pace.take(found)
                if found.ended or not found.current:
                    return

    async def look(self) -> None:
        """Read the newest pairs, and now and then what the lanes have noted.

        With the broker away everything stays as it was seen last; following notices.
        """
        from contracts.errors import TransientError

        with suppress(TransientError):
            await self._look()

    async def _look(self) -> None:
        from contracts.phases import SHADOWED, Phase

        standing = self._standing
        if self._log is not None and standing.phase in SHADOWED:
            await self._read_pairs(self._log)
        if time.monotonic() - self._lanes_at < _LANES_EVERY_S:
            return
        self._lanes_at = time.monotonic()
        if not standing.current:
            return
        if standing.phase in (Phase.REGISTERED, Phase.WARMING):
            self._lanes = await self._client.shadowing(standing.rollout_id)
        else:
            self._lanes = await self._client.adoption()
        self._controllers = await self._client.controllers()

    async def _read_pairs(self, log: Log) -> None:
        from pydantic import ValidationError

        from contracts.events import ShadowPair

        ends, begins, at = await log.ends(), await log.beginnings(), await log.positions()
        log.seek({
            partition: max(at[partition], begins[partition], end - _NEWEST_PAIRS)
            for partition, end in ends.items()
        })  # fmt: skip
        until = time.monotonic() + _LOOK_EVERY_S / 2
        while not await log.passed(ends) and time.monotonic() < until:
            for record in await log.poll():
                try:
                    pair = ShadowPair.model_validate_json(record.value or b"")
                except ValidationError:
                    continue  # the controller counts it; a view shows what can be shown
                if pair.rollout_id == self._standing.rollout_id:
                    self._traffic.take(pair)


class _Pace:
    """Paired records per second, between the two newest cuts that differ."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self.per_s: float | None = None

    def take(self, standing: Standing) -> None:
        cut, judgement = standing.rollout.cut, standing.judgement
        if cut is None or judgement is None:
            return
        now = (cut.elapsed_ms, judgement.accounting.paired)
        if self._last is not None and now[0] > self._last[0]:
            self.per_s = max(0, now[1] - self._last[1]) / (now[0] - self._last[0]) * 1000
        if self._last is None or now[0] > self._last[0]:
            self._last = now


@asynccontextmanager
async def _traffic_log(open_log: Callable[[str], Any], names: TopicNames) -> AsyncIterator[Any]:
    """The evidence topic, from a little before its end on; None where there is no such topic."""
    from contracts.errors import UsageError

    try:
        log = await open_log(names.shadow).__aenter__()
    except UsageError:
        yield None
        return
    try:
        begins, ends = await log.beginnings(), await log.ends()
        log.seek({p: max(begins[p], end - _NEWEST_PAIRS) for p, end in ends.items()})
        yield log
    finally:
        await log.__aexit__(None, None, None)


@asynccontextmanager
async def _live(view: _View) -> AsyncIterator[Callable[[], None]]:
    """Draws over the whole terminal; the last frame stays when it is left."""
    from rich.console import Console, Group
    from rich.live import Live

    from deploy.cli.rollout_frame import draw

    console = Console(highlight=False)

    def picture() -> Group:
        size = console.size
        return Group(*draw(view.frame, width=size.width, height=size.height))

    with Live(console=console, screen=True, get_renderable=picture, refresh_per_second=4) as live:
        yield live.refresh
    console.print(picture())


@asynccontextmanager
async def _lines(view: _View) -> AsyncIterator[Callable[[], None]]:
    """One line for each change, for a pipe."""
    from deploy.cli.rollout_frame import one_line

    told: list[tuple[Any, ...]] = []

    def refresh() -> None:
        frame = view.frame
        standing = frame.standing
        now = (standing.phase, standing.paused, standing.rollout.step, standing.rollout.cut)
        if told[-1:] != [now]:
            told[:] = [now]
            print(f"{frame.now:%H:%M:%S} {one_line(frame)}", flush=True)

    yield refresh


def _print_frame(frame: Frame) -> None:
    from rich.console import Console

    from deploy.cli.rollout_frame import draw

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    height = console.size.height if sys.stdout.isatty() else 1000
    for line in draw(frame, width=console.size.width, height=height):
        console.print(line)


class _told_to_stop:  # noqa: N801  (reads as the statement that it is)
    """SIGINT and SIGTERM are how watching ends."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(RuntimeError, ValueError):  # not the main thread: nobody sends it signals
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._task.cancel)

    def __exit__(self, *failure: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
