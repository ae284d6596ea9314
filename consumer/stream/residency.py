"""The models in memory, and the newest control state that they can serve.

A state becomes *resident* only when every model of its serving set is loaded, verified and
warm; until then lanes go on under the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping

from consumer.parser.seams import AddressModel
from contracts.control import RolloutState
from contracts.errors import MgeoError
from contracts.logs import get_logger
from contracts.spec import ModelSpec

_log = get_logger(__name__)

ModelLoader = Callable[[ModelSpec], AddressModel]
"""Loads, verifies and warms one model. Blocking; raises FatalError when it must not serve."""


class Residency:
    """Loads what the control state names.

    Args:
        load: called in a thread.
        on_resident: called in the event loop with each state that became resident.
    """

    def __init__(self, load: ModelLoader, on_resident: Callable[[RolloutState], None]) -> None:
        self._load = load
        self._on_resident = on_resident
        self._models: dict[Hashable, AddressModel] = {}
        self._state: RolloutState | None = None
        self._changed = asyncio.Condition()

    @property
    def models(self) -> Mapping[Hashable, AddressModel]:
        """Resident models by ``ModelSpec.key``."""
        return self._models

    @property
    def state(self) -> RolloutState | None:
        """The newest resident state."""
        return self._state

    async def wait_for_epoch(self, epoch: int) -> RolloutState:
        """The resident state, as soon as it has reached this serving epoch."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._state is not None and self._state.serving.serving_epoch >= epoch
            )
        assert self._state is not None  # noqa: S101  (what was waited for)
        return self._state

    async def bring_in(self, state: RolloutState) -> None:
        """Make a state resident.

        Raises:
            MgeoError: a model of it cannot be served, and there is no earlier state to go on
                with. With one, the failure is logged and the worker goes on as it was.
        """
        try:
            for spec in state.serving.specs:
                if spec.key not in self._models:
                    self._models[spec.key] = await asyncio.to_thread(self._load, spec)
                    _log.info("model resident", version=spec.version, precision=spec.precision)
        except MgeoError as error:
            if self._state is None:
                raise
            _log.error("model refused", code=error.code, serving=self._state.serving.stable.name)
            return
        before = self._state
        self._state = state
        self._evict(before, state)
        self._on_resident(state)
        async with self._changed:
            self._changed.notify_all()

    def _evict(self, before: RolloutState | None, now: RolloutState) -> None:
        # The set before this one stays: its records may still be in flight, and it is the
        # way back.
        keep = {spec.key for state in (before, now) if state for spec in state.serving.specs}
        if now.previous is not None:
            keep.add(now.previous.key)
        for key in [key for key in self._models if key not in keep]:
            del self._models[key]
