"""The models in memory, and the newest plan that they allow.

A plan becomes *resident* only when every model of it is loaded, verified and warm; until then
lanes go on under the one before. A newer plan never waits for the loading of an older one: a
way back must be open at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from consumer.parser.seams import AddressModel, DeviceOutOfMemoryError
from consumer.stream.plan import Plan, Refusal
from contracts.control import RolloutState
from contracts.errors import MgeoError
from contracts.logs import get_logger
from contracts.spec import ModelSpec

_log = get_logger(__name__)
_T = TypeVar("_T")

_RETRY_FIRST_S = 5.0
_RETRY_MOST_S = 60.0
_BACKGROUND_NICENESS = 10
_LOAD_TIMEOUT_S = 600.0

ModelLoader = Callable[[ModelSpec], AddressModel]
"""Loads, verifies and warms one model. Blocking; raises when it must not serve."""

Introduction = Callable[[AddressModel], Awaitable[None]]
"""Runs a loaded model once where it will run; raises when it must not serve."""


async def _not_introduced(model: AddressModel) -> None:
    """For models that no device runs."""


@dataclass(frozen=True, slots=True)
class ResidentSet:
    """A plan and the loaded models of it.

    Whoever serves under it holds the models by it, so that eviction frees memory only when
    nothing in flight needs them any more.

    Attributes:
        plan: what to do.
        models: by ``ModelSpec.key``.
    """

    plan: Plan
    models: Mapping[Hashable, AddressModel]

    @property
    def state(self) -> RolloutState:
        """The control state."""
        return self.plan.state

    @property
    def epoch(self) -> int:
        """What lanes commit once they work under it."""
        return self.plan.epoch


@dataclass(slots=True)
class _Trouble:
    """A spec that was refused: why, how often, and when it may be tried again."""

    code: str
    pause_s: float
    not_before: float


class Residency:
    """Loads what the plan names.

    Args:
        load: called in a thread.
        on_resident: called in the event loop with each set that became resident.
        on_refusal: called in the event loop when a plan cannot become resident for now, and
            with None when that is over.
        introduce: awaited with each model that was loaded, before it counts as such.
        retry_s: first pause before a refused model is tried again.
        timeout_s: a model that takes longer to load than this is told of as refused; it is
            taken all the same when it comes.
    """

    def __init__(
        self,
        load: ModelLoader,
        on_resident: Callable[[ResidentSet], None],
        on_refusal: Callable[[Refusal | None], None] = lambda _: None,
        *,
        introduce: Introduction = _not_introduced,
        retry_s: float = _RETRY_FIRST_S,
        timeout_s: float = _LOAD_TIMEOUT_S,
    ) -> None:
        self._load = load
        self._introduce = introduce
        self._on_resident = on_resident
        self._on_refusal = on_refusal
        self._retry_s = retry_s
        self._timeout_s = timeout_s
        self._models: dict[Hashable, AddressModel] = {}
        self._loading: dict[Hashable, asyncio.Task[AddressModel]] = {}
        self._late_at: dict[Hashable, float] = {}  # a load's own time, whatever is wanted since
        self._troubles: dict[Hashable, _Trouble] = {}
        self._wanted: Plan | None = None
        self._news = asyncio.Event()
        self._current: ResidentSet | None = None
        self._fallback: ResidentSet | None = None
        self._refusal: Refusal | None = None
        self._changed = asyncio.Event()  # replaced each time it is set: wakes all who wait

    @property
    def current(self) -> ResidentSet | None:
        """The newest resident set."""
        return self._current

    @property
    def refusal(self) -> Refusal | None:
        """Why the newest plan is not resident, when that is because of a model."""
        return self._refusal

    @property
    def resident(self) -> frozenset[Hashable]:
        """The keys of the models in memory."""
        return frozenset(self._models)

    def want(self, plan: Plan | None) -> None:
        """Make this plan resident; it takes the place of any that is still loading.

        None, or a plan of another group, lets go of what the one before had.
        """
        self._wanted = plan
        current = self._current
        if current is not None and (plan is None or plan.group != current.plan.group):
            self._current = self._fallback = None
        if self._refusal is not None and (plan is None or plan.epoch != self._refusal.epoch):
            self._fallback = None
            self._refuse(None)
        self._evict()
        self._news.set()
        self._wake()

    def opening(self, epoch: int) -> ResidentSet | None:
        """What a partition that has reached this epoch can be opened under, if anything yet."""
        for known in (self._current, self._fallback):
            if known is not None and known.epoch >= epoch:
                return known
        return None

    def changed(self) -> Coroutine[Any, Any, bool]:
        """What ends once ``opening`` or ``refusal`` may answer otherwise than at this call.

        What changes before it is awaited counts: who awaits it in a task of its own begins later.
        """
        return self._changed.wait()

    async def run(self) -> None:
        """Load what is wanted, until cancelled.

        Raises:
            MgeoError: a model of the first plan cannot be served, and nothing can be served
                without it. In every other case the failure is told, logged and tried again.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            plan = self._wanted
            if plan is not None and await self._load_all(plan):
                self._make_current(plan)

    async def _load_all(self, plan: Plan) -> bool:
        """True when all is in memory; False when a newer plan is wanted."""
        while missing := [spec for spec in plan.specs if spec.key not in self._models]:
            spec = missing[0]
            trouble = self._troubles.get(spec.key)
            if trouble is not None:
                self._tell(plan, trouble.code)
                if await self._superseded_before(None, trouble.not_before - time.monotonic()):
                    return False
            loading = self._loading.get(spec.key)
            if loading is None:
                loading = self._loading[spec.key] = asyncio.create_task(self._bring_in(spec))
                loading.add_done_callback(_look_at)  # nobody may be waiting for it by then
                self._late_at[spec.key] = time.monotonic() + self._timeout_s
            left = self._late_at[spec.key] - time.monotonic()
            if left <= 0 and not loading.done():
                self._tell(plan, "model_load_timeout")
            if await self._superseded_before(loading, left if left > 0 else self._timeout_s):
                return False
            if not loading.done():
                continue
            error = loading.exception()
            if error is None:
                self._troubles.pop(spec.key, None)
                continue
            if not isinstance(error, Exception) or self._cannot_go_on(plan):
                raise error
            self._note_trouble(spec, error)
        return True

    def _cannot_go_on(self, plan: Plan) -> bool:
        if self._current is not None or plan.joins_gated:
            return False
        return plan.fallback is None or self._held(plan.fallback) is None

    def _note_trouble(self, spec: ModelSpec, error: Exception) -> None:
        # The candidate's trouble must not become the stable model's.
        code = refusal_code(error)
        before = self._troubles.get(spec.key)
        pause = self._retry_s if before is None else min(2 * before.pause_s, _RETRY_MOST_S)
        self._troubles[spec.key] = _Trouble(code, pause, time.monotonic() + pause)
        _log.error(
            "model refused; everything else goes on as before",
            version=spec.version,
            code=code,
            again_in_s=pause,
        )

    def _tell(self, plan: Plan, code: str) -> None:
        if plan.fallback is not None:
            self._fallback = self._held(plan.fallback)
        refusal = Refusal(plan.epoch, code)
        if refusal != self._refusal:
            self._refuse(refusal)
        self._wake()

    def _refuse(self, refusal: Refusal | None) -> None:
        self._refusal = refusal
        self._on_refusal(refusal)

    def _held(self, plan: Plan) -> ResidentSet | None:
        if any(spec.key not in self._models for spec in plan.specs):
            return None
        return ResidentSet(plan, {spec.key: self._models[spec.key] for spec in plan.specs})

    async def _superseded_before(
        self, loading: asyncio.Task[AddressModel] | None, seconds: float
    ) -> bool:
        news = asyncio.ensure_future(self._news.wait())
        waiting: set[asyncio.Future[object]] = {news}  # type: ignore[arg-type]  # read only
        if loading is not None:
            waiting.add(loading)  # type: ignore[arg-type]  # read only
        try:
            await asyncio.wait(
                waiting, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED
            )
            return self._news.is_set()
        finally:
            news.cancel()

    async def _bring_in(self, spec: ModelSpec) -> AddressModel:
        # A first model is waited for; any other must not slow down what serves.
        background = bool(self._models)
        try:
            model = await _in_daemon_thread(self._load, spec, background=background)
            await self._introduce(model)
        finally:
            del self._loading[spec.key]
        if spec.key in _keys(self._wanted):
            self._models[spec.key] = model
            _log.info("model resident", version=spec.version, precision=spec.precision)
        return model

    def _make_current(self, plan: Plan) -> None:
        held = self._held(plan)
        if held is None:  # evicted while the last of them was loading
            self._news.set()
            return
        self._current = held
        self._fallback = None
        if self._refusal is not None:
            self._refuse(None)
        self._evict()
        self._on_resident(held)
        self._wake()

    def _evict(self) -> None:
        # What serves stays, and so does the way back.
        current = self._current
        keep = _keys(self._wanted) | {
            spec.key for spec in (current.plan.specs if current is not None else ())
        }
        for key in [key for key in self._models if key not in keep]:
            del self._models[key]
        for key in [key for key in self._troubles if key not in keep]:
            del self._troubles[key]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def refusal_code(error: Exception) -> str:
    """The stable code of what kept a model from being held."""
    if isinstance(error, MemoryError | DeviceOutOfMemoryError):
        return "model_too_large"
    return error.code if isinstance(error, MgeoError) else "model_load_failed"


def _keys(plan: Plan | None) -> frozenset[Hashable]:
    if plan is None:
        return frozenset()
    return frozenset(spec.key for spec in (*plan.specs, *plan.keeps))


def _look_at(task: asyncio.Task[AddressModel]) -> None:
    if not task.cancelled():
        task.exception()


async def _in_daemon_thread(
    function: Callable[[ModelSpec], _T], spec: ModelSpec, *, background: bool
) -> _T:
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
            if background:
                _step_back()
            result = function(spec)
        except BaseException as error:  # noqa: BLE001  (handed to the event loop, whatever it is)
            failure = error if _can_be_handed_over(error) else _LoaderEndedError(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, result, failure)

    threading.Thread(target=work, name="mgeo-load", daemon=True).start()
    return await future


class _LoaderEndedError(Exception):
    """Stands for what no future may hold, or what would end the event loop with it."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"loading ended in {type(cause).__name__}")
        self.__cause__ = cause


def _can_be_handed_over(error: BaseException) -> bool:
    # A panic in Rust (tokenizers, safetensors) is no Exception; asyncio refuses StopIteration,
    # and lets SystemExit out of the loop. Each is the trouble of one model.
    return isinstance(error, Exception) and not isinstance(error, StopIteration)


def _step_back() -> None:
    """Let the threads that serve go first. Linux keeps a priority for each thread.

    The network's own threads are started by this one and inherit it. Whoever is nicer already
    stays so: going back asks for a right that workers do not have.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a load that is not polite is better than none
            nicer = max(os.getpriority(os.PRIO_PROCESS, thread), _BACKGROUND_NICENESS)
            os.setpriority(os.PRIO_PROCESS, thread, nicer)
