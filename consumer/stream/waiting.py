"""Waiting for one thing or another, without leaving tasks behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
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


async def let_go(closing: Coroutine[Any, Any, Any], seconds: float) -> bool:
    """Close a Kafka client: within the time allowed, and without its last words.

    In a task of its own, for a client that is closed while its broker is away lets the
    cancellation of its own tasks out, and whoever awaits it would take that for his own.

    Returns:
        True when it closed in good order.
    """
    task = asyncio.create_task(closing)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
        task.add_done_callback(_look_at)
    return task.done() and not task.cancelled() and task.exception() is None


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
