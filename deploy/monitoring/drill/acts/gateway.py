"""Acts about the gateway: what callers over HTTP would notice."""

from __future__ import annotations

import asyncio
from typing import Final

from deploy.demo.traffic import Traffic
from deploy.monitoring.drill.acts.act import Act
from deploy.monitoring.drill.causes import callers, impostor, set_topic, still_and_on
from deploy.monitoring.drill.stage import Stage


async def _broker_gone(stage: Stage) -> None:
    stage.cause("the broker is killed")
    await asyncio.to_thread(stage.broker.kill)
    await stage.told("MgeoGatewayNotReady")
    stage.mend("it is started again")
    await asyncio.to_thread(stage.broker.start)
    await stage.over("MgeoGatewayNotReady")


async def _too_many(stage: Stage) -> None:
    stage.cause("sixteen callers at once, each with 100 addresses a request, without a pause")
    async with callers(stage.port("gateway"), 16, addresses_each=100, pause_s=0.05):
        await stage.told("MgeoGatewayShedding")
    stage.mend("they are gone; one is left, who waits for each answer")
    async with callers(stage.port("gateway"), 1, pause_s=0.2):
        await stage.over("MgeoGatewayShedding")


async def _throttled(stage: Stage) -> None:
    traffic = Traffic(stage.kafka, records_per_s=1, addresses_per_record=60)
    traffic.repeats = 0.0
    pid = "worker"
    async with traffic, callers(stage.port("gateway"), 3, pause_s=0.1):
        await asyncio.sleep(5)
        stage.cause("the worker gets a sixth of the processor's time, in slices")
        throttle = still_and_on(
            lambda: stage.freeze(pid), lambda: stage.thaw(pid), still_s=1.25, runs_s=0.25
        )
        async with throttle:
            await stage.told("MgeoServiceSlow", "MgeoGatewaySlow")
        stage.mend("it gets all of it again")
        await stage.over("MgeoServiceSlow", "MgeoGatewaySlow")


async def _replies(stage: Stage) -> None:
    replies = stage.kafka.names.replies
    async with callers(stage.port("gateway"), 8, pause_s=0.1):
        await asyncio.sleep(3)
        stage.cause("the topic of replies takes only records of less than 300 bytes")
        await set_topic(stage.kafka, replies, max_message_bytes="300")
        await stage.told("MgeoRepliesFail", "MgeoGatewayErrors")
        stage.mend("it takes what it must again")
        await set_topic(stage.kafka, replies)
        await stage.over("MgeoRepliesFail", "MgeoGatewayErrors")


async def _unreadable(stage: Stage) -> None:
    both = (stage.port("gateway"), stage.port("gateway-b"))
    async with callers(both[0], 2, pause_s=0.1), callers(both[1], 2, pause_s=0.1):
        # They share the one partition of replies: each reads what the other asked for, and that
        # is nothing to tell anybody.
        await asyncio.sleep(8)
        await stage.look("two gateways on one partition of replies")
        stage.freeze("worker")
        stage.cause("a worker of another release replies what no gateway can read")
        async with impostor(stage.kafka):
            await stage.told("MgeoRepliesUnreadable")
        stage.mend("it is stopped, and the right one goes on")
        stage.thaw("worker")
        await stage.over("MgeoRepliesUnreadable")


_BOTH: Final = ("worker", "gateway")

ACTS: Final = (
    Act(
        "broker",
        "the broker is gone",
        _broker_gone,
        ("MgeoGatewayNotReady",),
        services=(*_BOTH, "controller"),
        panels=("mgeo-operators: Ready gateways",),
    ),
    Act(
        "shedding",
        "more callers than are served",
        _too_many,
        ("MgeoGatewayShedding",),
        services=_BOTH,
        # A quarter of what they ask for, however fast the machine is.
        settings={"gateway": {"MGEO_GATEWAY_MAX_PENDING_ADDRESSES": "400"}},
        panels=("mgeo-operators: Requests in work",),
    ),
    Act(
        "throttled",
        "a worker that gets too little of the processor",
        _throttled,
        ("MgeoServiceSlow", "MgeoGatewaySlow"),
        services=_BOTH,
    ),
    Act(
        "replies",
        "replies that do not get through",
        _replies,
        ("MgeoRepliesFail", "MgeoGatewayErrors"),
        services=_BOTH,
        settings={"gateway": {"MGEO_GATEWAY_TIMEOUT_MS": "1500"}},
        panels=("mgeo-operators: Problems by code", "mgeo-operators: Replies"),
    ),
    Act(
        "unreadable",
        "replies that no gateway can read",
        _unreadable,
        ("MgeoRepliesUnreadable",),
        services=(*_BOTH, "gateway-b"),
        partitions=1,
    ),
)
"""In the order in which they are played."""
