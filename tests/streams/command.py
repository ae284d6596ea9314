"""Running `mgeo` in this process: as a person would, without paying for another interpreter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contracts.settings import KafkaSettings
from deploy.cli.boundary import run

Mgeo = Callable[..., Awaitable[tuple[int, str, str]]]
"""Arguments to (exit code, standard output, standard error)."""

MgeoOn = Callable[[KafkaSettings], Mgeo]
"""The fixture ``mgeo_on``: a stream to the program that talks to it."""


def mgeo_for(
    stream: KafkaSettings,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Mgeo:
    """The program, talking to this stream."""
    monkeypatch.setenv("MGEO_KAFKA_BOOTSTRAP_SERVERS", stream.kafka_bootstrap_servers)
    monkeypatch.setenv("MGEO_TOPIC_PREFIX", stream.topic_prefix)
    monkeypatch.setenv("MGEO_PUBLISH_JOURNAL_DIR", str(state))
    monkeypatch.setenv("MGEO_RESUME_SETTLE_MS", "0")

    async def mgeo(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(run, arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return mgeo


def environment(stream: KafkaSettings, state: Path) -> dict[str, str]:
    """The environment of a process of its own that talks to this stream."""
    return {
        **os.environ,
        "MGEO_KAFKA_BOOTSTRAP_SERVERS": stream.kafka_bootstrap_servers,
        "MGEO_TOPIC_PREFIX": stream.topic_prefix,
        "MGEO_PUBLISH_JOURNAL_DIR": str(state),
        "MGEO_RESUME_SETTLE_MS": "300",
        "MGEO_PUBLISH_CHECKPOINT_MS": "100",
        "PYTHONPATH": str(Path.cwd()),
    }
