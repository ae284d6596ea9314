"""`mgeo rollout controller` as a process: ready, looked at, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from contracts.settings import KafkaSettings
from tests.brokers.admin import TopicFactory
from tests.streams import controller as c
from tests.streams.eventually import eventually

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]


def started(stream: KafkaSettings, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "rollout", "controller", "--port", "0"],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "MGEO_KAFKA_BOOTSTRAP_SERVERS": stream.kafka_bootstrap_servers,
                "MGEO_TOPIC_PREFIX": stream.topic_prefix,
            },
            stdout=file,
            stderr=file,
        )


async def test_it_serves_probes_and_metrics_and_leaves_with_nought(
    kafka: KafkaSettings, topics: TopicFactory, tmp_path: Path
) -> None:
    names = topics.create_standard(1)
    stream = kafka.model_copy(update={"topic_prefix": names.prefix})
    await c.first(stream)
    log = tmp_path / "controller.log"
    process = started(stream, log)
    try:
        async with httpx.AsyncClient(timeout=60) as client:

            async def leads() -> bool:
                assert process.poll() is None, log.read_text()
                events = [json.loads(line) for line in log.read_text().splitlines()]
                ports = [one["port"] for one in events if one["event"] == "listening"]
                if not ports:
                    return False
                base = f"http://127.0.0.1:{ports[0]}"
                ready = (await client.get(f"{base}/readyz")).status_code == 200
                shown = (await client.get(f"{base}/metrics")).text
                return ready and "mgeo_controller_leader 1.0" in shown

            await eventually(leads, "it leads", timeout_s=90)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()


def test_a_keyring_that_cannot_be_used_is_told_before_anything_is_joined(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deploy.cli", "rollout", "controller"),
            *("--keyring", str(tmp_path / "none.yaml")),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MGEO_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2, done.stderr
    assert "none.yaml" in done.stderr
