"""Keeps the evidence of the running rollout folded, and cuts it when it is time.

What is recorded is folded again first, cut by cut, so that a successor stands where its
predecessor stood. Holds no rule: when to cut is ``cadence``, what a cut says is the judge's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from typing import Protocol

from contracts.audit import CutEntry
from contracts.control import RolloutState
from contracts.judgement import GateResult, Judgement, Verdict
from contracts.logs import get_logger
from contracts.phases import Phase
from contracts.rollout import Cut, Offsets, Rollout
from rollout.controller.cadence import worth_judging
from rollout.controller.memory import AuditMemory
from rollout.controller.timing import gathering_ms
from rollout.controller.view import Evidence
from rollout.stages import SERVED

_log = get_logger(__name__)

GATHERED = frozenset(
    {Phase.SHADOWING, Phase.PASSED, Phase.AWAITING_APPROVAL, Phase.STAGING, *SERVED}
)
"""Phases in which evidence is judged: until the end, so that harm is seen in all of them."""


class Trial(Protocol):
    """``rollout.evidence.Trial``, as far as the controller looks at it."""

    @property
    def outcomes(self) -> int:
        """Pairs folded in."""
        ...

    @property
    def chain(self) -> str:
        """Hash chain over them."""
        ...

    @property
    def alarm(self) -> GateResult | None:
        """The bake's alarm, when it rings."""
        ...

    def served(self, spec_key: str, serving_epoch: int) -> tuple[int, int]:
        """Addresses and errors that a spec served under an epoch."""
        ...

    def watch_bake(self) -> None:
        """From the next cut on, watch for the bake's alarm."""
        ...


class EvidenceSource(Protocol):
    """``rollout.evidence.reader.EvidenceReader``, as far as the controller calls it."""

    @property
    def trial(self) -> Trial:
        """What is folded in."""
        ...

    @property
    def behind(self) -> bool:
        """Whether the last cut was shortened: the next one is due at once."""
        ...

    async def take_cut(
        self, number: int, now: datetime, elapsed_ms: int, shadow_committed: Offsets
    ) -> Cut:
        """Where the evidence ends now."""
        ...

    async def advance(self, cut: Cut) -> Judgement:
        """Fold everything up to a cut, and judge it."""
        ...


OpenEvidence = Callable[[Rollout], AbstractAsyncContextManager[EvidenceSource]]


class Gathering:
    """The fold of one rollout at a time.

    It outlives a term: when another controller joins, the office is given anew, often to the
    same one, who then goes on from the fold it has.

    Args:
        open_evidence: opens the evidence of a rollout.
    """

    def __init__(self, open_evidence: OpenEvidence) -> None:
        self._open = open_evidence
        self._stack = AsyncExitStack()
        self._source: EvidenceSource | None = None
        self._rollout_id = ""
        self._folded: list[Cut] = []
        self._last: Judgement | None = None
        self._advancing = False  # a cancelled fold stands nobody knows where
        self.differing: list[tuple[int, Verdict, Verdict]] = []
        """Cuts whose verdict came out otherwise than recorded: number, recorded, now."""

    @property
    def behind(self) -> bool:
        """Whether the next cut is due at once."""
        return self._source is not None and self._source.behind

    async def catch_up(self, rollout: Rollout, memory: AuditMemory) -> None:
        """Fold every recorded cut that is not folded yet."""
        recorded = [one.cut for one in memory.judged]
        fits = (
            self._source is not None
            and not self._advancing
            and self._rollout_id == rollout.rollout_id
            and self._folded == recorded[: len(self._folded)]
        )
        if not fits:
            await self._begin(rollout)
        source = self._source
        assert source is not None  # noqa: S101  (begun)
        self._watch(source, memory)
        for judged in memory.judged[len(self._folded) :]:
            self._last = await self._advance(source, judged.cut)
            if self._last.verdict != judged.verdict:
                self.differing.append((judged.cut.number, judged.verdict, self._last.verdict))
            self._watch(source, memory)

    async def cut(
        self, state: RolloutState, shadow_committed: Offsets, now: datetime
    ) -> Evidence | None:
        """Judge at a new cut, where that can tell more than the last one.

        Args:
            state: with the rollout that was caught up with.
            shadow_committed: read before.
            now: the present moment.
        """
        source, rollout = self._source, state.rollout
        assert source is not None  # noqa: S101  (caught up)
        assert rollout is not None  # noqa: S101  (likewise)
        # Where the audit has lost a cut, the state still counts on: harm must be seen all the same.
        counted = 0 if rollout.cut is None else rollout.cut.number
        number = max(len(self._folded), counted) + 1
        cut = await source.take_cut(number, now, gathering_ms(rollout, now), shadow_committed)
        last = self._folded[-1] if self._folded else None
        if not worth_judging(last, self._last, cut, rollout.policy):
            return None
        self._last = await self._advance(source, cut)
        trial, epoch = source.trial, state.serving.serving_epoch
        return Evidence(
            entry=CutEntry(
                cut=cut, judgement=self._last, outcomes=trial.outcomes, chain=trial.chain
            ),
            served=trial.served(rollout.candidate.key, epoch),
            served_epoch=epoch,
            alarm=trial.alarm,
        )

    async def close(self) -> None:
        """Let the evidence go."""
        stack, self._stack = self._stack, AsyncExitStack()
        self._source, self._rollout_id = None, ""
        self._folded, self._last, self._advancing = [], None, False
        await stack.aclose()

    async def _advance(self, source: EvidenceSource, cut: Cut) -> Judgement:
        self._advancing = True
        judgement = await source.advance(cut)
        self._folded.append(cut)
        self._advancing = False
        return judgement

    def _watch(self, source: EvidenceSource, memory: AuditMemory) -> None:
        """Watch the bake from its second cut on: the first may have been folded before anybody
        knew of the bake, and a successor could not tell.
        """
        if memory.baking_after is not None and len(self._folded) > memory.baking_after:
            source.trial.watch_bake()

    async def _begin(self, rollout: Rollout) -> None:
        await self.close()
        self._source = await self._stack.enter_async_context(self._open(rollout))
        self._rollout_id = rollout.rollout_id
        _log.info("evidence opened", rollout=rollout.rollout_id)
