"""Looks up what a start request is judged by: offsets, retention, earlier tries, guardrails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol

from contracts.access import AccessRefusedError
from contracts.control import RolloutState
from contracts.durations import format_duration
from contracts.policy import Policy
from contracts.requests import ReplayFrom, RolloutRequest, StartRequest
from contracts.rollout import GoldenOutcome, Offsets
from contracts.topics import TopicNames
from rollout.controller.memory import AuditMemory
from rollout.controller.observe import RETENTION, Observer
from rollout.controller.registering import StartFacts, longest_ms
from rollout.controller.timing import milliseconds
from rollout.logs import Log, OpenLog

_BESIDE: Final = timedelta(hours=24)
"""Evidence is kept for a day longer than the longest rollout: for its report, and `verify`."""


class Objection(Protocol):
    """One field of a policy that is looser than allowed."""

    @property
    def field(self) -> str:
        """Its dotted name."""
        ...

    @property
    def message(self) -> str:
        """A sentence with the name, the value and what is allowed."""
        ...


class Guardrails(Protocol):
    """``rollout.guardrails.Guardrails``."""

    def objections(
        self, policy: Policy, golden: GoldenOutcome | None = None
    ) -> Sequence[Objection]:
        """Every field in which the policy is looser than allowed."""
        ...


StartingPositions = Callable[
    [ReplayFrom | None], Awaitable[dict[Literal["shadow", "parsed"], Offsets]]
]
"""Where the evidence of a rollout that begins now begins, by topic."""


class Starting:
    """Looks up ``StartFacts``.

    Args:
        open_log: opens a topic's log.
        names: of the topics.
        observer: asks Kafka.
        guardrails: the controller's own limits; None when there are none.
        positions: where the evidence begins.
        step_times: how many times its duration a step may be held.
    """

    def __init__(
        self,
        open_log: OpenLog,
        names: TopicNames,
        observer: Observer,
        *,
        guardrails: Guardrails | None,
        positions: StartingPositions,
        step_times: float,
    ) -> None:
        self._open_log = open_log
        self._names = names
        self._observer = observer
        self._guardrails = guardrails
        self._positions = positions
        self._step_times = step_times

    async def facts(
        self, state: RolloutState, request: RolloutRequest, memory: AuditMemory, now: datetime
    ) -> StartFacts:
        """What is known about this start.

        Raises:
            KafkaError: it cannot be looked up now; the request is judged later.
        """
        start = request.start
        assert start is not None  # noqa: S101  (``needs_facts`` has looked)
        evidence_from = await self._positions(start.replay_from)
        async with self._open_log(self._names.events) as log:
            beginnings, ends = await log.beginnings(), await log.ends()
            begin = await _begin(log, start.replay_from, beginnings, ends)
        return StartFacts(
            from_offsets=begin,
            ends=ends,
            evidence_from=evidence_from,
            tries=memory.tried(start.reference(state.serving.stable), start.candidate),
            known_ids=frozenset(memory.ids),
            guardrail=self._objection(start),
            retention=await self._kept_long_enough(start, beginnings, now),
        )

    def _objection(self, start: StartRequest) -> tuple[str, str] | None:
        rails = self._guardrails
        found = () if rails is None else rails.objections(start.policy, start.golden)
        return (found[0].field, "; ".join(one.message for one in found)) if found else None

    async def _kept_long_enough(
        self, start: StartRequest, beginnings: Offsets, now: datetime
    ) -> tuple[str, str] | None:
        try:
            return await self._retention(start, beginnings, now)
        except AccessRefusedError as error:
            # What may not be seen is no "for ever"; and no waiting makes it be seen.
            return error.code, str(error)

    async def _retention(
        self, start: StartRequest, beginnings: Offsets, now: datetime
    ) -> tuple[str, str] | None:
        longest = longest_ms(start.policy, step_times=self._step_times)
        for topic, needed in (
            (self._names.shadow, longest + milliseconds(_BESIDE)),
            (self._names.parsed, longest + milliseconds(_BESIDE)),
            # A successor looks again at what stands where the evidence has holes.
            (self._names.events, longest),
        ):
            kept = await self._observer.retention_ms(topic)
            if 0 <= kept < needed:
                return _too_short(topic, kept, needed)
        replay = start.replay_from
        if replay is None:
            return None
        return await self._replayable(replay, start.policy, beginnings, now)

    async def _replayable(
        self, replay: ReplayFrom, policy: Policy, beginnings: Offsets, now: datetime
    ) -> tuple[str, str] | None:
        topic = self._names.events
        if replay.offset is not None:
            gone = [p for p, first in beginnings.items() if replay.offset < first]
            if gone:
                where = ", ".join(map(str, gone))
                return (
                    "replay_expired",
                    f"offset {replay.offset} is no longer in partitions {where} of {topic}",
                )
            return None
        assert replay.since_ms is not None  # noqa: S101  (one of both)
        age = round(now.timestamp() * 1000) - replay.since_ms
        needed = age + milliseconds(policy.shadow.max_duration)
        kept = await self._observer.retention_ms(topic)
        if 0 <= kept < age:
            return (
                "replay_expired",
                f"{topic} keeps records for {_text(kept)}, and the replay begins {_text(age)} ago",
            )
        return _too_short(topic, kept, needed) if 0 <= kept < needed else None


async def _begin(
    log: Log, replay: ReplayFrom | None, beginnings: Offsets, ends: Offsets
) -> Offsets:
    if replay is None:
        return ends
    if replay.since_ms is not None:
        return await log.since(datetime.fromtimestamp(replay.since_ms / 1000, UTC))
    wanted = replay.offset or 0
    return {p: min(max(wanted, beginnings[p]), end) for p, end in ends.items()}


def _too_short(topic: str, kept: int, needed: int) -> tuple[str, str]:
    lacks = f"{topic} keeps records for {_text(kept)}, and this rollout may need {_text(needed)}"
    return "retention_too_short", f"{lacks}: raise {RETENTION} of {topic} to {needed}"


def _text(value_ms: int) -> str:
    return format_duration(timedelta(minutes=round(value_ms / 60_000)))
