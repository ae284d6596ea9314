"""A successor folds what is recorded as its predecessor did, also where a bake began."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from contracts.judgement import GateResult, Judgement
from contracts.phases import Phase
from contracts.rollout import Cut, Offsets, Rollout
from rollout.controller.gathering import Gathering
from tests.properties.rollouts import Plane

Folded = list[tuple[int, bool]]


class Notebook:
    """Evidence that is made of cuts alone: writes down which of them the bake's watch saw."""

    behind = False
    outcomes = 0
    chain = ""
    alarm: GateResult | None = None

    def __init__(self) -> None:
        self.trial = self
        self.watching = False
        self.folded: Folded = []

    async def take_cut(
        self, number: int, now: datetime, elapsed_ms: int, shadow_committed: Offsets
    ) -> Cut:
        ends = {0: number}
        return Cut(
            number=number,
            at=now.isoformat(),
            elapsed_ms=elapsed_ms,
            shadow=ends,
            parsed=ends,
            shadow_committed=ends,
            events=ends,
        )

    async def advance(self, cut: Cut) -> Judgement:
        self.folded.append((cut.number, self.watching))
        return Judgement(verdict="continue")

    def served(self, spec_key: str, serving_epoch: int) -> tuple[int, int]:
        return 0, 0

    def watch_bake(self) -> None:
        self.watching = True


async def folded_by(plane: Plane, *, cut_before_baking: bool) -> tuple[Folded, Folded]:
    """Which cuts were folded, and which of them watched: by the one that led, by the next one."""
    notes: list[Notebook] = []

    @asynccontextmanager
    async def opened(_: Rollout) -> AsyncIterator[Notebook]:
        notes.append(Notebook())
        yield notes[-1]

    leading = Gathering(opened)
    await leading.catch_up(plane.rollout, plane.memory)
    under_way = await leading.cut(plane.state, {}, plane.now) if cut_before_baking else None
    plane.adopt()
    plane.decide()
    assert plane.phase == Phase.BAKING
    plane.evidence = under_way  # folded before the bake, recorded in it
    while len(plane.memory.judged) < 7:
        plane.decide()
        await leading.catch_up(plane.rollout, plane.memory)
        plane.wait(seconds=1)
        plane.evidence = await leading.cut(plane.state, {}, plane.now) or plane.evidence
    await Gathering(opened).catch_up(plane.rollout, plane.memory)
    one, other = notes
    return one.folded[: len(other.folded)], other.folded


async def test_the_bakes_watch_begins_at_the_same_cut_for_a_successor() -> None:
    for cut_before_baking in (False, True):
        plane = Plane()
        plane.reach("CUTTING_OVER")
        plane.evidence = None
        leader, successor = await folded_by(plane, cut_before_baking=cut_before_baking)
        assert leader == successor, f"a cut was under way: {cut_before_baking}"
        assert {watched for _, watched in successor} == {False, True}


async def test_a_cut_that_the_audit_has_lost_keeps_nobody_from_seeing_harm() -> None:
    """Another release may have written it, or nobody can read it: the next cuts count on."""
    plane = Plane()
    plane.reach("CANARY")
    plane.cut()
    plane.decide()
    del plane.memory.judged[0]
    assert plane.rollout.cut is not None
    counted = plane.rollout.cut.number

    successor = Gathering(opened_notebook)
    await successor.catch_up(plane.rollout, plane.memory)
    plane.evidence = await successor.cut(plane.state, {}, plane.now)
    assert plane.evidence is not None
    assert plane.evidence.entry.cut.number == counted + 1
    plane.decide()
    assert plane.memory.last_cut == counted + 1


@asynccontextmanager
async def opened_notebook(_: Rollout) -> AsyncIterator[Notebook]:
    yield Notebook()
