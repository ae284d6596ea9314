"""A model's loading has a time of its own, whatever else happens meanwhile, and an end."""

from __future__ import annotations

import asyncio
import threading

from consumer.parser.seams import AddressModel
from consumer.stream.plan import Refusal
from consumer.stream.residency import Residency
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
