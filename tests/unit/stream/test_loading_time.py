"""A model's loading has a time of its own, whatever else happens meanwhile, and an end."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumer.parser.seams import AddressModel
from consumer.stream.plan import Refusal
from consumer.stream.residency import ModelLoader, Residency
from consumer.stream.roles import serving_plan
from contracts.spec import ModelSpec
from tests.models import instant
from tests.streams.rollouts import CANDIDATE, rollout_of, state_of


async def test_a_load_that_hangs_is_told_of_however_often_the_record_is_written_again() -> None:
    """The controller writes every second while it judges; each write is news to a worker."""
    let_go = threading.Event()
    told: list[Refusal | None] = []

    def load(spec: ModelSpec) -> AddressModel:
        if spec == CANDIDATE:
            let_go.wait(60)
        return instant.InstantModel(spec)

    residency = Residency(load, lambda _: None, told.append, timeout_s=0.5)
    running = asyncio.create_task(residency.run())
    try:
        async with asyncio.timeout(60):
            revision = 1
            while not told:
                revision += 1
                state = state_of(
                    rollout_of(), None, revision=revision, epoch=2, candidate=CANDIDATE
                )
                residency.want(serving_plan(state, "g"))
                await asyncio.sleep(0.05)
    finally:
        let_go.set()
        running.cancel()
        await asyncio.wait({running})
    assert told == [Refusal(2, "model_load_timeout")]


async def test_a_model_that_comes_between_asking_and_waiting_is_not_missed() -> None:
    """Whoever waits does so in a task, which begins a turn of the loop later."""
    residency = Residency(instant.InstantModel, lambda _: None, lambda _: None, timeout_s=60)
    running = asyncio.create_task(residency.run())
    try:
        async with asyncio.timeout(60):
            assert residency.opening(1) is None
            change = residency.changed()
            residency.want(serving_plan(instant.state(), "g"))
            while residency.opening(1) is None:
                await residency.changed()
        await asyncio.wait_for(change, 5)
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_model_serves_only_after_it_has_run_once_on_the_device() -> None:
    """Ready must not mean that the first request pays for the device's first time."""
    may_run, asked = asyncio.Event(), asyncio.Event()

    async def introduce(_model: AddressModel) -> None:
        asked.set()
        await may_run.wait()

    residency = Residency(instant.InstantModel, lambda _: None, introduce=introduce, timeout_s=60)
    running = asyncio.create_task(residency.run())
    try:
        async with asyncio.timeout(60):
            residency.want(serving_plan(instant.state(), "g"))
            await asked.wait()
            assert residency.opening(1) is None
            may_run.set()
            while residency.opening(1) is None:
                await residency.changed()
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_model_that_the_device_cannot_run_is_refused() -> None:
    told: asyncio.Queue[Refusal | None] = asyncio.Queue()

    async def introduce(model: AddressModel) -> None:
        if model.spec == CANDIDATE:
            raise RuntimeError("broken")

    residency = Residency(
        instant.InstantModel, lambda _: None, told.put_nowait, introduce=introduce, timeout_s=60
    )
    running = asyncio.create_task(residency.run())
    try:
        async with asyncio.timeout(60):
            residency.want(serving_plan(instant.state(), "g"))
            while residency.opening(1) is None:
                await residency.changed()
            state = state_of(rollout_of(), None, revision=2, epoch=2, candidate=CANDIDATE)
            residency.want(serving_plan(state, "g"))
            assert await told.get() == Refusal(2, "model_load_failed")
    finally:
        running.cancel()
        await asyncio.wait({running})


async def second_model(load: ModelLoader) -> Refusal | None:
    """A worker that serves is asked for a second model, which comes (None) or is refused."""
    told: asyncio.Queue[Refusal | None] = asyncio.Queue()
    residency = Residency(load, lambda _: None, told.put_nowait, timeout_s=60)
    running = asyncio.create_task(residency.run())
    try:
        async with asyncio.timeout(30):
            residency.want(serving_plan(instant.state(), "g"))
            while residency.opening(1) is None:
                await residency.changed()
            state = state_of(rollout_of(), None, revision=2, epoch=2, candidate=CANDIDATE)
            residency.want(serving_plan(state, "g"))
            while residency.opening(2) is None and told.empty():
                await residency.changed()
            return None if told.empty() else told.get_nowait()
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own there")
def test_a_worker_that_is_nicer_already_loads_a_second_model_and_stays_as_nice() -> None:
    niceness: dict[str, int] = {}

    def load(spec: ModelSpec) -> AddressModel:
        niceness[spec.version] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return instant.InstantModel(spec)

    def serve() -> Refusal | None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        return asyncio.run(second_model(load))

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(serve).result() is None
    assert niceness[CANDIDATE.version] == 19


async def test_a_priority_that_cannot_be_changed_keeps_no_model_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(errno.EACCES, "no such right")

    monkeypatch.setattr(os, "setpriority", refuse)
    assert await second_model(instant.InstantModel) is None


@pytest.mark.parametrize("ending", [StopIteration, SystemExit, BaseException])
async def test_however_loading_ends_the_model_is_refused_and_the_worker_serves(
    ending: type[BaseException],
) -> None:
    """A panic in Rust is no Exception, and not everything may be raised into a future."""

    def load(spec: ModelSpec) -> AddressModel:
        if spec == CANDIDATE:
            raise ending
        return instant.InstantModel(spec)

    assert await second_model(load) == Refusal(2, "model_load_failed")
