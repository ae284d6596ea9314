"""Waiting for one thing or another, without leaving tasks behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def or_event(event: asyncio.Event, awaitable: Awaitable[Any]) -> bool:
    """Wait for either; False, and the awaitable cancelled, when the event came first.

    Raises:
        Exception: whatever the awaitable raised.
    """
    waiting = asyncio.ensure_future(awaitable)
    watching = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting, watching}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
            return True
        return False
    finally:
        watching.cancel()
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait({waiting}, timeout=5.0)


async def sleep_or(event: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the event."""
    await or_event(event, asyncio.sleep(seconds))
