"""Crashes, lost lanes and handovers in any order: killers are found, nobody else is blamed.

The real lanes and the real dispatcher run over a log in memory; a process is an event loop
that ends, in good order or not.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.offset_metadata import OffsetMetadata
from tests.streams.lanes import Host, message, settle
from tests.streams.memory import MemoryBroker, MemorySink

Place = tuple[int, int]

MAX_IN_FLIGHT = 4
LIVES = 60


class World:
    """What outlives a process: the log, who kills, and what happened."""

    def __init__(self, rng: random.Random, lanes: int, records: int, killers: set[Place]) -> None:
        self.rng = rng
        self.broker = MemoryBroker()
        self.lanes = lanes
        self.records = records
        self.killers = killers
        self.deaths: Counter[Place] = Counter()
        self.company_at_death: list[list[Place]] = []
        self.outside_kills_left = 1
        self.rejoins_left = 20

    @property
    def done(self) -> bool:
        return all(
            (self.broker.partitions[lane].offset or 0) >= self.records for lane in range(self.lanes)
        )

    def outcomes(self, kind: str) -> list[str]:
        return [
            out.value.decode()
            for log in self.broker.partitions.values()
            for out in log.results
            if out.topic == kind
        ]


async def life(world: World, name: str) -> None:
    """One process, to its end."""
    host = Host(max_in_flight=MAX_IN_FLIGHT, name=name)
    sinks: list[MemorySink] = []
    fed: dict[int, int] = {}

    async def open_all() -> None:
        for partition in range(world.lanes):
            log = world.broker.partitions[partition]
            sink = MemorySink(world.broker, partition)
            sinks.append(sink)
            fed[partition] = log.offset or 0
            await host.open(
                sink,
                partition,
                position=fed[partition],
                log_end=world.records,
                metadata=OffsetMetadata.decode(log.metadata) or OffsetMetadata(),
            )

    def die() -> None:
        for sink in sinks:
            sink.dead = True

    def finish_what_runs_alone() -> None:
        # It gets the time it needs, for nothing else runs; only what hangs does not end.
        for record in [r for r in host.pipeline.inside if r.earlier_starts]:
            if (record.origin.partition, record.origin.offset) not in world.killers:
                host.pipeline.finish(record)

    await open_all()
    while not world.done:
        await settle(world.rng.randrange(1, 12))
        inside = [(r.origin.partition, r.origin.offset) for r in host.pipeline.inside]
        dying = [place for place in inside if place in world.killers]
        action = world.rng.random()
        if dying and action < 0.6:
            world.company_at_death.append(inside)
            world.deaths.update(dying)
            die()
            return
        if action < 0.02 and world.outside_kills_left and not dying:
            world.outside_kills_left -= 1
            die()
            return
        if action < 0.04:
            # A handover in good order, with whatever work is in hand.
            finish_what_runs_alone()
            await asyncio.gather(*(lane.close(0.0) for lane in host.lanes.values()))
            return
        if action < 0.07 and world.rejoins_left:
            # A lane is lost: the process leaves the group and comes back.
            world.rejoins_left -= 1
            finish_what_runs_alone()
            sinks[-1].dead = True
            await asyncio.gather(*(lane.close(0.0) for lane in host.lanes.values()))
            host.pipeline.inside.clear()
            host.pipeline.idle.set()
            await open_all()
        elif action < 0.5 and any(place not in world.killers for place in inside):
            record = world.rng.choice(
                [
                    r
                    for r in host.pipeline.inside
                    if (r.origin.partition, r.origin.offset) not in world.killers
                ]
            )
            host.pipeline.finish(record)
        else:
            partition = world.rng.randrange(world.lanes)
            if fed[partition] < world.records:
                host.lanes[partition].admit(message(fed[partition], partition))
                fed[partition] += 1
    await asyncio.gather(*(lane.close(0.0) for lane in host.lanes.values()))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lanes=st.integers(1, 3),
    killers=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=3),
)
def test_killers_are_dead_lettered_and_the_innocent_never(
    seed: int, lanes: int, killers: set[Place]
) -> None:
    killers = {place for place in killers if place[0] < lanes}
    world = World(random.Random(seed), lanes, records=10, killers=killers)
    for number in range(LIVES * (1 + len(killers))):
        asyncio.run(life(world, f"p{number}"))
        if world.done:
            break
    names = {f"{partition}/{offset}" for partition, offset in killers}
    assert sorted(world.outcomes("dlq")) == sorted(names)
    everything = {f"{lane}/{offset}" for lane in range(lanes) for offset in range(10)}
    assert sorted(world.outcomes("out")) == sorted(everything - names)
    for lane in range(lanes):
        mine = [out.value for out in world.broker.partitions[lane].results]
        assert mine == sorted(mine), "order of results is order of input"
    for place in killers:
        assert world.deaths[place] <= 3, "the 4th start is the dead letter"


@pytest.mark.parametrize("seed", range(3))
def test_company_dies_with_a_killer_at_most_once(seed: int) -> None:
    world = World(random.Random(seed), lanes=2, records=10, killers={(0, 3)})
    world.outside_kills_left = world.rejoins_left = 0
    for number in range(LIVES):
        asyncio.run(life(world, f"p{number}"))
        if world.done:
            break
    assert world.done
    assert sum(len(inside) > 1 for inside in world.company_at_death) <= 1
