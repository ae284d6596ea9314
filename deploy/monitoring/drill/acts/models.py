"""A model that several acts run: the first release, with many more layers."""

from __future__ import annotations

import asyncio
from typing import Final

from deploy.monitoring.drill.stage import Stage

SLOW: Final = "mgeo-starter-v7-20261201"
"""A batch takes seconds on a CPU, and the answers are those of the first release."""

_DEEPER: Final = 40


async def slow_model(stage: Stage) -> None:
    """Put it into the store."""
    from consumer.store.starters import RELEASES
    from deploy.demo.candidates import with_added_layers
    from deploy.demo.story import FIRST

    directory = await asyncio.to_thread(
        with_added_layers, RELEASES / FIRST, stage.folder / "slow", _DEEPER
    )
    await stage.people.mgeo("model team", "model", "add", str(directory), "--version", SLOW)
