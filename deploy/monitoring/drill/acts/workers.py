"""Acts about stable workers: what they get, what they stand on, and each other."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

from deploy.demo.story import SECOND
from deploy.demo.traffic import Traffic
from deploy.local.ports import free_port
from deploy.monitoring.drill.acts.act import Act
from deploy.monitoring.drill.acts.models import SLOW, slow_model
from deploy.monitoring.drill.causes import (
    again_and_again,
    batch_of,
    delete_topic,
    fresh,
    last_value,
    limit_address_space,
    send,
    still_and_on,
    stranger,
)
from deploy.monitoring.drill.stage import Stage

_SHORT_SESSION: Final = {"MGEO_SESSION_TIMEOUT_MS": "6000"}


async def _input(stage: Stage) -> None:
    events = stage.kafka.names.events

    async def rubbish() -> None:
        await send(stage.kafka, events, [b"{", batch_of([""] * 30), batch_of(fresh(5))])

    stage.cause("a publisher sends records that are no JSON, and addresses without text")
    async with again_and_again(rubbish, pause_s=0.5):
        await stage.told("MgeoDeadLetters", "MgeoErrorShareHigh")
    stage.mend("the publisher is stopped")
    await stage.over("MgeoErrorShareHigh", "MgeoDeadLetters")


async def _overload(stage: Stage) -> None:
    stage.cause("8 records a second of 150 addresses, all of them new")
    traffic = Traffic(stage.kafka, records_per_s=8, addresses_per_record=150)
    traffic.repeats = 0.0
    async with traffic:
        await stage.told("MgeoLagGrowing")
    stage.mend("nothing more comes in")
    await stage.over("MgeoLagGrowing")


async def _slow_broker(stage: Stage) -> None:
    cause = "the broker stalls for 3 s, again and again, and 9000 records wait"
    alerts = ("MgeoCommitsSlow", "MgeoDeviceIdleWithLag")
    await _stalling(stage, cause, alerts, still_s=3.0, runs_s=0.3)


async def _unconfirmed(stage: Stage) -> None:
    cause = "the broker stalls for longer than a transaction may take, again and again"
    # Runs so shortly that what is open when it stalls is a share of all that it confirms.
    await _stalling(stage, cause, ("MgeoCommitsLost",), still_s=12.0, runs_s=0.6)


async def _stalling(
    stage: Stage, cause: str, alerts: tuple[str, ...], *, still_s: float, runs_s: float
) -> None:
    """Let the broker stand still and run by turns, with 9000 records before the worker."""
    backlog = [batch_of([text]) for text in fresh(9000)]
    stage.cause(cause)
    await send(stage.kafka, stage.kafka.names.events, backlog)
    async with still_and_on(
        stage.broker.pause, stage.broker.resume, still_s=still_s, runs_s=runs_s
    ):
        await stage.told(*alerts)
    stage.mend("the broker stalls no more")
    await stage.over(*alerts)


async def _hanging_call(stage: Stage) -> None:
    texts = fresh(1000)
    stage.cause("a device call does not come back for a minute: a batch of 1000 addresses")
    await send(stage.kafka, stage.kafka.names.events, [batch_of(texts)])
    await stage.told("MgeoStalled")
    stage.mend("the call comes back")
    await stage.over("MgeoStalled")


async def _zombies(stage: Stage) -> None:
    turns = itertools.cycle(("worker", "worker-b"))

    async def sleep_past_the_session() -> None:
        sleeper = next(turns)
        stage.freeze(sleeper)
        try:
            await asyncio.sleep(8.0)  # a session of 6 s, and the other takes over
        finally:
            stage.thaw(sleeper)
        await asyncio.sleep(2.0)

    traffic = Traffic(stage.kafka, records_per_s=5, addresses_per_record=100)
    traffic.repeats = 0.0
    async with traffic:
        await asyncio.sleep(5)
        stage.cause("two workers in turn stand still for longer than their session, with work")
        async with again_and_again(sleep_past_the_session):
            await stage.told("MgeoFencingStorm")
    stage.mend("neither stands still any more")
    await stage.over("MgeoFencingStorm")


async def _strangers(stage: Stage) -> None:
    names = stage.kafka.names

    async def join_and_leave() -> None:
        await stranger(stage.kafka, names.stable_group, names.inputs)

    stage.cause("somebody's script joins the workers' group and leaves it, again and again")
    async with again_and_again(join_and_leave, pause_s=0.5):
        await stage.told("MgeoRebalanceStorm")
    stage.mend("the script is stopped")
    await stage.over("MgeoRebalanceStorm")


async def _memory(stage: Stage) -> None:
    events = stage.kafka.names.events
    texts = fresh(3000)
    batches = itertools.cycle([batch_of(texts[at : at + 600]) for at in range(0, 3000, 600)])

    async def large() -> None:
        await send(stage.kafka, events, [next(batches)])

    stage.cause("the kernel gives the worker 64 MiB more and no further: large batches do not fit")
    lift = limit_address_space(stage.pid("worker"), 64 * 2**20)
    try:
        async with again_and_again(large, pause_s=1.0):
            await stage.told("MgeoDeviceOutOfMemory")
    finally:
        lift()
    stage.mend("the limit is lifted")
    await stage.over("MgeoDeviceOutOfMemory")


async def _not_ready(stage: Stage) -> None:
    stage.cause("a second worker is given an address at which there is no Kafka")
    stage.start("worker-b", MGEO_KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}")
    await stage.told("MgeoWorkerNotReady")
    await stage.stop("worker-b")
    stage.mend("it is started with the right one")
    stage.start("worker-b")
    # One that has just been started shows nothing, and so is not said to be unready.
    await stage.ready("worker-b")
    await stage.over("MgeoWorkerNotReady")
    await stage.stop("worker-b")
    stage.cause("a worker is started with another MGEO_VERSION than serves")
    stage.start("worker-b", MGEO_VERSION=SECOND)
    await stage.told("MgeoVersionMismatch")
    await stage.stop("worker-b")
    stage.mend("it is started with the one that serves")
    stage.start("worker-b")
    await stage.over("MgeoVersionMismatch")


async def _shut(stage: Stage) -> None:
    control = stage.kafka.names.control
    old = await last_value(stage.kafka, control)
    await stage.stop("controller")
    await delete_topic(stage.kafka, control)
    await asyncio.sleep(2)  # the broker forgets it a moment later
    await stage.people.mgeo("operator", "topics", "create")
    new = await last_value(stage.kafka, control)
    query = 'min(mgeo_serving_epoch{job="mgeo-worker"}) > 1'
    await stage.until(lambda: bool(stage.watching.query(query)), "the worker follows the new topic")
    await asyncio.sleep(3)  # and its lanes have noted the epoch
    stage.cause("the control topic is filled from an old backup, and the worker starts again")
    await send(stage.kafka, control, [old], key=b"rollout")
    await stage.stop("worker")
    stage.start("worker")
    await stage.told("MgeoPartitionsShut")
    stage.mend("the newer record is put back")
    await send(stage.kafka, control, [new], key=b"rollout")
    await stage.over("MgeoPartitionsShut")


ACTS: Final = (
    Act(
        "input",
        "a publisher sends what cannot be read",
        _input,
        ("MgeoDeadLetters", "MgeoErrorShareHigh"),
        panels=("mgeo-operators: Errors by code", "mgeo-operators: Dead letters by code"),
    ),
    Act(
        "overload",
        "more comes in than is parsed",
        _overload,
        ("MgeoLagGrowing",),
        panels=("mgeo-operators: Partitions paused",),
    ),
    Act(
        "slow-broker",
        "a broker that stalls again and again",
        _slow_broker,
        ("MgeoCommitsSlow", "MgeoDeviceIdleWithLag"),
        # Few records at a time, so that the device waits for the commits.
        settings={"worker": {"MGEO_MAX_IN_FLIGHT_RECORDS": "16"}},
        # It is its own controller, and would count itself as gone.
        broker_settings={"broker.session.timeout.ms": "18000"},
    ),
    Act(
        "unconfirmed",
        "a broker that stalls for longer than a transaction may take",
        _unconfirmed,
        ("MgeoCommitsLost",),
        # Times of a service are divided like those of the rules; many tries are many rejoins.
        settings={
            "worker": {
                "MGEO_REQUEST_TIMEOUT_MS": "3000",
                "MGEO_TRANSACTION_TIMEOUT_MS": "10000",
                "MGEO_MAX_REJOINS": "1000",
                # Few records at a time, so that there is always a transaction open.
                "MGEO_MAX_IN_FLIGHT_RECORDS": "4",
            }
        },
        broker_settings={
            "broker.session.timeout.ms": "18000",
            # Looked for as often as the rest is quick; else the retry comes first, and commits.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "100",
        },
    ),
    Act(
        "hanging-call",
        "a device that computes at one batch for a minute",
        _hanging_call,
        ("MgeoStalled",),
        settings={
            "worker": {
                "MGEO_VERSION": SLOW,
                "MGEO_TOKEN_BUDGET": "65536",
                "MGEO_BATCH_SIZE": "1024",
                "MGEO_WARM_UP": "false",
            }
        },
        prepare=slow_model,
    ),
    Act(
        "zombies",
        "two workers in turn sleep past their session",
        _zombies,
        ("MgeoFencingStorm",),
        services=("worker", "worker-b"),
        settings={"worker": _SHORT_SESSION, "worker-b": _SHORT_SESSION},
        panels=("mgeo-operators: Fencings and rebalances",),
        partitions=8,
    ),
    Act(
        "strangers",
        "a stranger comes and goes in the workers' group",
        _strangers,
        ("MgeoRebalanceStorm",),
        times=45,
    ),
    Act(
        "memory",
        "a worker whose large batches find no memory",
        _memory,
        ("MgeoDeviceOutOfMemory",),
        settings={"worker": {"MGEO_TOKEN_BUDGET": "16384", "MGEO_BATCH_SIZE": "1024"}},
        panels=("mgeo-operators: Device out of memory",),
        times=60,
    ),
    Act(
        "not-ready",
        "a worker that cannot reach Kafka, and one with another version",
        _not_ready,
        ("MgeoWorkerNotReady", "MgeoVersionMismatch"),
        services=("worker", "gateway"),
        panels=(
            "mgeo-rollouts: Refusals by code",
            "mgeo-operators: Workers that gateways see",
        ),
        times=60,
    ),
    Act(
        "shut",
        "the control topic is restored from an old backup",
        _shut,
        ("MgeoPartitionsShut",),
        services=("worker", "controller"),
        panels=("mgeo-operators: Partitions by state",),
    ),
)
"""In the order in which they are played."""
