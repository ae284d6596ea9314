"""The act of the dashboards: an idle system, the same under load, and with a rollout."""

from __future__ import annotations

import asyncio
from typing import Final

from deploy.demo.story import SECOND
from deploy.demo.traffic import Traffic
from deploy.monitoring.drill.acts.act import Act
from deploy.monitoring.drill.acts.rollouts import start_rollout
from deploy.monitoring.drill.causes import again_and_again, batch_of, callers, send
from deploy.monitoring.drill.stage import Stage

_LOOKS_AFTER_S: Final = 20


async def _load(stage: Stage) -> None:
    gateway = stage.port("gateway")
    stage.cause("traffic and callers, some of whom do not wait; a rollout with half in its sample")
    async with (
        Traffic(stage.kafka, records_per_s=30, addresses_per_record=3),
        callers(gateway, 3, pause_s=0.2),
        callers(gateway, 2, addresses_each=60, pause_s=0.1),
        callers(gateway, 1, addresses_each=200, pause_s=0.5, patience_s=0.05),
    ):
        await asyncio.sleep(_LOOKS_AFTER_S)
        await stage.look("load")
        await start_rollout(stage, SECOND, "shadow.share=0.5")
        await stage.until_phase("SHADOWING")

        async def empty() -> None:
            await send(stage.kafka, stage.kafka.names.events, [batch_of(["", ""])] * 4)

        # Half of the records are in the sample; these are errors of both models.
        async with again_and_again(empty, pause_s=1.0):
            await asyncio.sleep(_LOOKS_AFTER_S)
            await stage.look("load and a rollout")
    stage.mend("idle again")
    await stage.people.mgeo("operator", "rollout", "abort", "--reason", "the act is over")
    await asyncio.sleep(_LOOKS_AFTER_S)
    await stage.look("idle again")


ACTS: Final = (
    Act(
        "load",
        "idle, under load, with a rollout, idle again: what the panels show",
        _load,
        services=("worker", "shadow", "controller", "gateway"),
        panels=(
            "mgeo-operators: Clients that left",
            "mgeo-operators: Requests in work",
            "mgeo-rollouts: The shadow's records",
            "mgeo-rollouts: Errors, in the shadow",
        ),
    ),
)
"""One act."""
