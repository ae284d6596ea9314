"""The models in memory, and the newest control state that they can serve.

A state becomes *resident* only when every model of its serving set is loaded, verified and
warm; until then lanes go on under the one before. A newer state never waits for the loading
of an older one: a way back must be open at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from consumer.parser.seams import AddressModel
from contracts.control import RolloutState
from contracts.logs import get_logger
from contracts.spec import ModelSpec

_log = get_logger(__name__)
_T = TypeVar("_T")

_RETRY_FIRST_S = 5.0
_RETRY_MOST_S = 60.0

ModelLoader = Callable[[ModelSpec], AddressModel]
"""Loads, verifies and warms one model. Blocking; raises FatalError when it must not serve."""


@dataclass(frozen=True, slots=True)
class ResidentSet:
    """A control state and the loaded models of its serving set.

    Whoever serves under it holds the models by it, so that eviction frees memory only when
    nothing in flight needs them any more.

    Attributes:
        state: the control state.
        models: by ``ModelSpec.key``.
    """

    state: RolloutState
    models: Mapping[Hashable, AddressModel]

    @property
    def epoch(self) -> int:
        """The serving epoch."""
        return self.state.serving.serving_epoch


class Residency:
    """Loads what the control state names.

    Args:
        load: called in a thread.
        on_resident: called in the event loop with each set that became resident.
        retry_s: first pause before a refused model is tried again.
    """

    def __init__(
        self,
        load: ModelLoader,
        on_resident: Callable[[ResidentSet], None],
        *,
        retry_s: float = _RETRY_FIRST_S,
    ) -> None:
        self._load = load
        self._on_resident = on_resident
        self._retry_s = retry_s
        self._models: dict[Hashable, AddressModel] = {}
        self._loading: dict[Hashable, asyncio.Task[AddressModel]] = {}
        self._wanted: RolloutState | None = None
        self._news = asyncio.Event()
        self._current: ResidentSet | None = None
        self._changed = asyncio.Condition()

    @property
    def current(self) -> ResidentSet | None:
        """The newest resident set."""
        return self._current

    @property
    def resident(self) -> frozenset[Hashable]:
        """The keys of the models in memory."""
        return frozenset(self._models)

    def want(self, state: RolloutState) -> None:
        """Make this state resident; it takes the place of any that is still loading."""
        self._wanted = state
        self._news.set()

    async def wait_for_epoch(self, epoch: int) -> ResidentSet:
        """The resident set, as soon as it has reached this serving epoch."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._current is not None and self._current.epoch >= epoch
            )
        assert self._current is not None  # noqa: S101  (what was waited for)
        return self._current

    async def run(self) -> None:
        """Load what is wanted, until cancelled.

        Raises:
            MgeoError: a model of the first state cannot be served. With an earlier state to
                go on with, the failure is logged and tried again.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            state = self._wanted
            if state is not None and await self._load_all(state):
                await self._make_current(state)

    async def _load_all(self, state: RolloutState) -> bool:
        """True when all is in memory; False when a newer state is wanted."""
        pause = self._retry_s
        while missing := [s for s in state.serving.specs if s.key not in self._models]:
            spec = missing[0]
            loading = self._loading.get(spec.key)
            if loading is None:
                loading = self._loading[spec.key] = asyncio.create_task(self._bring_in(spec))
                loading.add_done_callback(_look_at)  # nobody may be waiting for it by then
            if await self._superseded_before(loading, None):
                return False
            error = loading.exception()
            if error is None:
                continue
            if self._current is None or not isinstance(error, Exception):
                raise error
            # The candidate's trouble must not become the stable model's.
            _log.error(
                "model refused; serving goes on as before",
                version=spec.version,
                code=getattr(error, "code", type(error).__name__),
                serving=self._current.state.serving.stable.name,
            )
            if await self._superseded_before(None, pause):
                return False
            pause = min(2 * pause, _RETRY_MOST_S)
        return True

    async def _superseded_before(
        self, loading: asyncio.Task[AddressModel] | None, seconds: float | None
    ) -> bool:
        news = asyncio.ensure_future(self._news.wait())
        waiting: set[asyncio.Future[object]] = {news}  # type: ignore[arg-type]  # read only
        if loading is not None:
            waiting.add(loading)  # type: ignore[arg-type]  # read only
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return self._news.is_set()
        finally:
            news.cancel()

    async def _bring_in(self, spec: ModelSpec) -> AddressModel:
        try:
            model = await _in_daemon_thread(self._load, spec)
        finally:
            del self._loading[spec.key]
        if spec.key in _keys(self._wanted):
            self._models[spec.key] = model
            _log.info("model resident", version=spec.version, precision=spec.precision)
        return model

    async def _make_current(self, state: RolloutState) -> None:
        before = self._current
        models: dict[Hashable, AddressModel] = {
            spec.key: self._models[spec.key] for spec in state.serving.specs
        }
        self._current = ResidentSet(state, models)
        # The set before this one stays: it is the way back.
        keep = _keys(state) | (_keys(before.state) if before else frozenset())
        for key in [key for key in self._models if key not in keep]:
            del self._models[key]
        self._on_resident(self._current)
        async with self._changed:
            self._changed.notify_all()


def _keys(state: RolloutState | None) -> frozenset[Hashable]:
    if state is None:
        return frozenset()
    previous = () if state.previous is None else (state.previous,)
    return frozenset(spec.key for spec in (*state.serving.specs, *previous))


def _look_at(task: asyncio.Task[AddressModel]) -> None:
    if not task.cancelled():
        task.exception()


async def _in_daemon_thread(function: Callable[[ModelSpec], _T], spec: ModelSpec) -> _T:
    """Unlike the loop's own threads, this one does not keep a process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def deliver(result: _T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # one of the two is given

    def work() -> None:
        result: _T | None = None
        failure: BaseException | None = None
        try:
            result = function(spec)
        except Exception as error:  # noqa: BLE001  (handed to the event loop, whatever it is)
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, result, failure)

    threading.Thread(target=work, name="mgeo-load", daemon=True).start()
    return await future
