"""What a rollout waits for, told every few seconds while somebody waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from contracts.settings import KafkaSettings
from deploy.rollouts import rollout_client
from rollout.progress import waits_for
from rollout.standing import standing_of

EVERY_S: Final = 5.0


async def tell_progress(kafka: KafkaSettings, tell: Callable[[str], None]) -> None:
    """Tell what changes, at most every few seconds, until cancelled."""
    told, last = "", 0.0
    async with aclosing(rollout_client(kafka).follow()) as states:
        async for state in states:
            standing = standing_of(state)
            now = time.monotonic()
            if standing is None or standing.ended or now < last + EVERY_S:
                continue
            line = f"{standing.phase}: {waits_for(standing, datetime.now(UTC))}"
            if line != told:
                tell(f"    … {line}")
                told, last = line, now
            await asyncio.sleep(0)
