"""Checks of rollouts: does a controller run, has it something to say, is evidence kept long enough.

The ``judge_…`` functions decide and are pure; ``rollouts`` asks Kafka.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from aiokafka.errors import KafkaError

from contracts.control import RolloutState
from contracts.durations import format_duration
from contracts.errors import MgeoError
from contracts.policy import Policy
from contracts.settings import KafkaSettings
from contracts.topics import standard_topics
from deploy.doctor.finding import Finding, absent, broken, ok
from deploy.local.discovery import kafka_settings
from deploy.rollouts import rollout_client
from deploy.topics import TopicAdmin
from rollout.asking import is_running
from rollout.controller.registering import longest_ms
from rollout.progress import about
from rollout.settings import ControllerSettings
from rollout.standing import standing_of

SILENT_AFTER = timedelta(minutes=3)
"""While a rollout is judged a controller writes at least once a minute."""

KEPT_BESIDE = timedelta(hours=24)
"""Evidence is kept for a day longer than the longest rollout, for its report."""

_RETENTION = "retention.ms"


def rollouts() -> Iterator[Finding]:
    """The controller, the rollout that runs, and how long its evidence is kept."""
    try:
        kafka = kafka_settings()
        state, controllers, retention = asyncio.run(_look(kafka))
    except (MgeoError, KafkaError, OSError):
        return  # no Kafka, or no topics: another check has said so
    yield judge_controller(state, controllers)
    if state is not None and is_running(state):
        yield judge_rollout(state, datetime.now(UTC))
    policy = state.rollout.policy if state is not None and state.rollout is not None else Policy()
    for topic, kept_ms in retention.items():
        yield judge_retention(topic, kept_ms, policy, step_times=ControllerSettings().hold_times)


def judge_controller(state: RolloutState | None, controllers: int) -> Finding:
    """Whether requests and evidence are judged by anybody."""
    name = "controller"
    if controllers:
        standby = f", {controllers - 1} of them on standby" if controllers > 1 else ""
        return ok(name, f"{controllers} running{standby}")
    if state is not None and state.rollout is not None and is_running(state):
        return broken(
            name,
            f"none is running, and {state.rollout.rollout_id} is in {state.phase}",
            "mgeo rollout controller; it goes on where the last one stopped",
        )
    return absent(name, "none is running: no rollout can be started", "mgeo rollout controller")


def judge_rollout(state: RolloutState, now: datetime) -> Finding:
    """Whether the control record of a running rollout is kept up."""
    standing = standing_of(state)
    assert standing is not None  # noqa: S101  (a rollout runs)
    name, found = "rollout", f"{standing.rollout_id} in {standing.phase}"
    if standing.paused:
        return ok(name, f"{found}, paused: mgeo rollout resume lets it go on")
    age = _age(state.updated_at, now)
    judged = standing.rollout.cut is not None
    if judged and age is not None and age > SILENT_AFTER:
        return broken(
            name,
            f"{found}; its controller has written nothing for {about(age)}",
            "look at the controller’s log and /readyz; a second controller takes over by itself",
        )
    return ok(name, found)


def judge_retention(topic: str, kept_ms: int, policy: Policy, *, step_times: float) -> Finding:
    """Whether a topic of evidence keeps it for the longest rollout under a policy, and a day."""
    longest = timedelta(milliseconds=longest_ms(policy, step_times=step_times))
    needed = longest + KEPT_BESIDE
    name = f"retention {topic}"
    if kept_ms < 0:
        return ok(name, "kept for ever")
    kept = timedelta(milliseconds=kept_ms)
    if kept >= needed:
        return ok(name, f"{about(kept)}, a rollout may need {about(needed)}")
    return broken(
        name,
        f"{about(kept)}, and a rollout under this policy may need {about(needed)}",
        f"set {_RETENTION}={round(needed.total_seconds() * 1000)} on the topic, or shorten "
        f"shadow.max_duration ({format_duration(policy.shadow.max_duration)})",
    )


def _age(updated_at: str, now: datetime) -> timedelta | None:
    try:
        return now - datetime.fromisoformat(updated_at)
    except (ValueError, TypeError):
        return None


async def _look(kafka: KafkaSettings) -> tuple[RolloutState | None, int, Mapping[str, int]]:
    names = kafka.names
    client = rollout_client(kafka)
    specs = [one for one in standard_topics(names) if one.name == names.shadow]
    async with TopicAdmin(kafka) as admin:
        found = await admin.find(specs)
    retention = {
        topic: int(one.config[_RETENTION])
        for topic, one in found.items()
        if one.config.get(_RETENTION, "").lstrip("-").isdigit()
    }
    return await client.state(), await client.controllers(), retention
