"""Waiting for what must come true, with a reason when it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError


async def eventually(
    holds: Callable[[], Awaitable[bool]],
    what: str,
    *,
    timeout_s: float = 40.0,
    every_s: float = 0.1,
) -> None:
    """Return once ``holds`` does; a broker that does not answer yet counts as no."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if await holds():
                return
        except (KafkaError, OSError):
            pass
        assert time.monotonic() < deadline, f"not in {timeout_s:g} s: {what}"
        await asyncio.sleep(every_s)
