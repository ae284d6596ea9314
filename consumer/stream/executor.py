"""Runs device batches on the one device, in the one thread that may touch it.

Memory that runs out splits the batch; a device call that hangs cannot be interrupted from
Python, so a watchdog ends the process: the records are read again by whoever is next.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from consumer.parser.isolation import RowOutcome, score_rows
from consumer.parser.seams import DeviceLostError, Encoder, TokenIds
from consumer.stream.traffic import Traffic
from consumer.stream.turns import Turns

_CLOSE_S = 5.0
_SHORT_ROW = 8


@dataclass(frozen=True, slots=True)
class SideRows:
    """What one model is to score.

    Attributes:
        encoder: the model's network.
        rows: token ids of each row, shape (tokens,); none at all is allowed.
    """

    encoder: Encoder
    rows: Sequence[TokenIds]


@dataclass(frozen=True, slots=True)
class SideRun:
    """What one model made of its rows.

    Attributes:
        rows: for each row its scores, shape (tokens, labels), or its fault.
        seconds: that the device was busy with it, by the wall's clock.
        own_s: that the model took by its encoder's clock: what models are compared by.
        splits: how often the batch was split, for memory or for a fault.
    """

    rows: tuple[RowOutcome, ...]
    seconds: float
    own_s: float
    splits: int


@dataclass(frozen=True, slots=True)
class DeviceRun:
    """What came of one batch.

    Attributes:
        sides: in the order in which they were given, not in that in which they ran.
        started_at: monotonic seconds.
    """

    sides: tuple[SideRun, ...]
    started_at: float


class Device(Protocol):
    """The device, as one class of traffic sees it."""

    async def run(self, sides: Sequence[SideRows], order: Sequence[int] = (0,)) -> DeviceRun:
        """Run one batch on each model, one after the other; see ``DeviceExecutor.run``."""
        ...


class DeviceObserver(Protocol):
    """Told about the device's time. Called from the device thread."""

    def device_time(self, *, busy_s: float, idle_s: float) -> None:
        """The device was idle, then busy, for so many seconds."""
        ...

    def device_out_of_memory(self) -> None:
        """A batch was split because memory ran out."""
        ...


@dataclass(slots=True)
class _Job:
    sides: Sequence[SideRows]
    order: Sequence[int]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[DeviceRun]


@dataclass(frozen=True, slots=True)
class _Entrance:
    executor: DeviceExecutor
    traffic: Traffic

    async def run(self, sides: Sequence[SideRows], order: Sequence[int] = (0,)) -> DeviceRun:
        return await self.executor.run(sides, order, self.traffic)


class DeviceExecutor:
    """The device thread and its watchdog.

    Args:
        bulk_share: what bulk gets of the device at least, while it waits: see ``Turns``.
        hang_after_s: a device call longer than this means that the device hangs.
        on_hang: called by the watchdog, from its own thread; must end the process.
        observer: told about busy and idle time.
    """

    def __init__(
        self,
        *,
        bulk_share: float = 0.2,
        hang_after_s: float,
        on_hang: Callable[[float], None],
        observer: DeviceObserver,
    ) -> None:
        self._hang_after_s = hang_after_s
        self._on_hang = on_hang
        self._observer = observer
        self._turns: Turns[_Job] = Turns(bulk_share=bulk_share)
        self._wake = threading.Condition()
        self._busy_since: float | None = None
        self._lost = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mgeo-device", daemon=True)
        self._watchdog = threading.Thread(target=self._watch, name="mgeo-watchdog", daemon=True)
        self._thread.start()
        self._watchdog.start()

    def entrance(self, traffic: Traffic) -> Device:
        """The device for one class of traffic."""
        return _Entrance(self, traffic)

    async def run(
        self,
        sides: Sequence[SideRows],
        order: Sequence[int] = (0,),
        traffic: Traffic = Traffic.BULK,
    ) -> DeviceRun:
        """Run one batch on each model, one after the other.

        Batches of one class of traffic run in the order of the calls.

        Args:
            sides: the models and their rows.
            order: the indices of the sides, as they are to run.
            traffic: the class whose turn it takes.

        Raises:
            DeviceLostError: the device is broken; the process must end.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[DeviceRun] = loop.create_future()
        with self._wake:
            self._turns.add(_Job(sides, order, loop, future), traffic, _tokens(sides))
            self._wake.notify()
        return await future

    async def meet(self, encoder: Encoder) -> None:
        """Run one short row in the device thread, so that no request pays for what is first there.

        A warm-up in another thread does not spare all of it: PyTorch keeps the handles of CUDA's
        libraries by thread (``ATen/cuda/detail/DeviceThreadHandles.h``).

        Raises:
            DeviceLostError: the device is broken; the process must end.
        """
        await self.run([SideRows(encoder, [np.ones(_SHORT_ROW, dtype=np.int64)])])

    @property
    def lost(self) -> bool:
        """True once the device is broken in this process."""
        return self._lost

    def close(self) -> None:
        """Stop the threads once what was submitted has run. Does not wait for a hung call."""
        self._closing.set()
        with self._wake:
            self._wake.notify()
        self._thread.join(timeout=min(self._hang_after_s, _CLOSE_S))

    def _work(self) -> None:
        idle_since = time.monotonic()
        while (job := self._next()) is not None:
            started = time.monotonic()
            runs: dict[int, SideRun] = {}
            try:
                for side in job.order:
                    runs[side] = self._run_side(job.sides[side])
            except DeviceLostError as error:
                self._lost = True
                _deliver(job, error)
                continue
            finally:
                self._busy_since = None
            ended = time.monotonic()
            self._observer.device_time(busy_s=ended - started, idle_s=started - idle_since)
            idle_since = ended
            _deliver(job, DeviceRun(tuple(runs[side] for side in range(len(runs))), started))

    def _next(self) -> _Job | None:
        """The next job; None once the executor is closed and nothing waits."""
        with self._wake:
            while not len(self._turns) and not self._closing.is_set():
                self._wake.wait()
            return self._turns.next()

    def _run_side(self, side: SideRows) -> SideRun:
        if not side.rows:
            return SideRun((), 0.0, 0.0, 0)
        started = self._busy_since = time.monotonic()
        own_started = side.encoder.now_s()
        outcomes, splits = score_rows(
            side.encoder, side.rows, out_of_memory=self._observer.device_out_of_memory
        )
        own_s = side.encoder.now_s() - own_started
        return SideRun(tuple(outcomes), time.monotonic() - started, own_s, splits)

    def _watch(self) -> None:
        while not self._closing.wait(min(1.0, self._hang_after_s / 4)):
            since = self._busy_since
            if since is not None and time.monotonic() - since > self._hang_after_s:
                self._on_hang(time.monotonic() - since)
                return


def _tokens(sides: Sequence[SideRows]) -> int:
    """The padded tokens of all sides together."""
    return sum(len(side.rows) * max(map(len, side.rows)) for side in sides if side.rows)


def _deliver(job: _Job, outcome: DeviceRun | DeviceLostError) -> None:
    def resolve() -> None:
        if job.future.done():
            return
        if isinstance(outcome, DeviceLostError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)

    try:
        job.loop.call_soon_threadsafe(resolve)
    except RuntimeError:
        # The loop was closed while the device computed: nobody waits for this any more, and
        # the records were never committed.
        return
