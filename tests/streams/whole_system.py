"""A whole system in the test's own loop: real lanes, shadow, evidence, judge and controller.

Only the models are stand-ins, which answer at once; everything between them and Kafka is real.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from consumer.stream.residency import ModelLoader
from consumer.stream.shadow import shadow_role
from contracts.control import ServingSet
from contracts.policy import Policy
from contracts.settings import KafkaSettings
from deploy.rollout_service import controller_parts
from deploy.serving_ledger import read_audit, read_served, serving_sets, serving_violations
from tests.models import instant
from tests.oracles.stream import look, violations
from tests.streams import controller as c
from tests.streams.rollouts import memory_of
from tests.streams.worker import running_worker

SMALL = Policy.model_validate(
    {
        "shadow": {"min_pairs": 100, "min_duration": "1ms", "max_duration": "1h"},
        "aa": {"max": 0.1},
        # Stand-ins take no time, so that times say nothing of them.
        "gates": {
            "error_rate": {"max_increase": 0.1},
            "latency_p99": {"max_ratio": 1000, "min_batches": 100},
            "latency_ratio": {"max_ratio": 1000, "min_batches": 20},
        },
        "canary": {
            "steps": [
                {"share": 0.1, "duration": "500ms", "min_results": 10},
                {"share": 0.5, "duration": "500ms", "min_results": 50},
            ]
        },
        "bake": {"duration": "500ms", "min_results": 100},
    }
)


@asynccontextmanager
async def whole_system(
    stream: KafkaSettings,
    *,
    stable_workers: int = 2,
    load: ModelLoader = instant.InstantModel,
    shadow_load: ModelLoader | None = None,
    stable_settings: Mapping[str, object] | None = None,
    **changes: object,
) -> AsyncIterator[c.RunningController]:
    """Workers, a shadow worker and a controller; ``changes`` are settings of the controller.

    The shadow worker's models are the others' (``load``) unless it is given its own;
    ``stable_settings`` are for the stable workers alone.
    """
    async with AsyncExitStack() as stack:
        await c.first(stream)
        for _ in range(stable_workers):
            worker = await stack.enter_async_context(
                running_worker(stream, load=load, **(stable_settings or {}))  # type: ignore[arg-type]  # by name
            )
            await worker.ready()
        await stack.enter_async_context(
            running_worker(stream, role=shadow_role, load=shadow_load or load)
        )
        parts = controller_parts(c.quick_settings(), stream)
        running = await stack.enter_async_context(c.running_controller(stream, parts, **changes))
        await running.leading()
        yield running


async def wrong(stream: KafkaSettings) -> list[str]:
    """What is wrong with the whole stream, in words: lost, doubled, or by another model."""
    first = ServingSet(stable=c.STABLE, serving_epoch=1)
    sets = serving_sets(first, await read_audit(stream))
    served = await read_served(stream)
    return violations(await look(stream)) + serving_violations(served, sets)


@dataclass
class Adoption:
    """How long each serving epoch took until every partition had adopted it."""

    seconds: dict[int, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"epoch {epoch}: {s * 1000:.0f} ms" for epoch, s in self.seconds.items())


@asynccontextmanager
async def watching_adoption(stream: KafkaSettings, partitions: int) -> AsyncIterator[Adoption]:
    """Measures it from outside, from the moment that the control record can be read."""
    adoption = Adoption()

    async def watch() -> None:
        seen: dict[int, float] = {}
        while True:
            epoch = (await c.state_of(stream)).serving.serving_epoch
            began = seen.setdefault(epoch, time.monotonic())
            notes = await memory_of(stream, stream.names.stable_group)
            adopted = [note.serving_epoch for _, note in notes.values()]
            if len(adopted) == partitions and min(adopted) >= epoch:
                adoption.seconds.setdefault(epoch, time.monotonic() - began)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(watch())
    try:
        yield adoption
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
