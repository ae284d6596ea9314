"""A controller that says what a test tells it to say: real records by the real encoders.

It judges nothing. Tests of those who only listen to a controller do not need a judge.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.audit import AuditRecord, RequestEntry, TransitionEntry, encode_audit
from contracts.control import RolloutState, encode_state, first_state
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.requests import RolloutRequest, decode_request
from contracts.rollout import Rollout
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from contracts.topics import CONTROL_KEY
from rollout.policy import policy_digest
from tests.models import instant

CANDIDATE = instant.spec("mgeo-instant-v2-20260201")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def rollout(
    rollout_id: str = "r-20260101-aaaaaa",
    *,
    candidate: ModelSpec = CANDIDATE,
    reference: ModelSpec | None = None,
    policy: Policy | None = None,
    **more: Any,
) -> Rollout:
    """A rollout that has just been registered, with other values where they are given."""
    policy = policy or Policy()
    facts: dict[str, Any] = {
        "share": policy.shadow.share,
        "from_offsets": {0: 0},
        "started_revision": 2,
        "started_at": now(),
        "phase_entry": 2,
        "phase_since": now(),
        **more,
    }
    return Rollout(
        rollout_id=rollout_id,
        candidate=candidate,
        reference=reference or instant.spec(),
        policy=policy,
        policy_digest=policy_digest(policy),
        **facts,
    )


class StandInController:
    """Writes states and answers requests as it is told.

    Args:
        kafka: under a prefix of its own, topics made.
        stable: what serves.
    """

    def __init__(self, kafka: KafkaSettings, stable: ModelSpec | None = None) -> None:
        self._kafka = kafka
        self._producer = AIOKafkaProducer(
            **client_options(kafka), transactional_id=f"{kafka.topic_prefix}stand-in"
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.state = first_state(stable or instant.spec(), incarnation="test", updated_at=now())
        self.asked: list[RolloutRequest] = []

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self.write(self.state)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._producer.stop()

    async def write(self, state: RolloutState, *audits: AuditRecord) -> None:
        """One transaction: the state and what explains it."""
        async with self._producer.transaction():
            await self._producer.send_and_wait(
                self._kafka.names.control, encode_state(state), key=CONTROL_KEY
            )
            for audit in audits:
                await self._producer.send_and_wait(
                    self._kafka.names.audit, encode_audit(audit), key=audit.rollout_id.encode()
                )
        self.state = state

    async def move(
        self,
        phase: Phase,
        *,
        about: Rollout | None = None,
        code: str = "test",
        request: RequestEntry | None = None,
        serving: dict[str, Any] | None = None,
        paused: bool = False,
        **changes: Any,
    ) -> None:
        """Enter a phase, with changes to the rollout, as the controller writes it."""
        revision = self.state.revision + 1
        base = about or self.state.rollout
        assert base is not None
        entered = base.model_copy(
            update={"phase_entry": revision, "phase_since": now(), "code": code, **changes}
        )
        state = self.state.model_copy(
            update={
                "revision": revision,
                "phase": str(phase),
                "paused": paused,
                "rollout": entered,
                "updated_at": now(),
                "serving": self.state.serving.model_copy(update=serving or {}),
            }
        )
        previous = Phase(self.state.phase) if about is None and self.state.phase else None
        audits = [self._transition(state, previous, entered)]
        if request is not None:
            audits.insert(0, self._about(state, request))
        await self.write(state, *audits)

    async def answer(self, entry: RequestEntry) -> None:
        """Write what became of a request, and change nothing else."""
        state = self.state.model_copy(update={"revision": self.state.revision + 1})
        await self.write(state, self._about(state, entry))

    def listen(self, on_request: Callable[[RolloutRequest, RequestEntry], Any]) -> None:
        """Hand every request to a coroutine function, with the entry that accepts it."""
        self._tasks.append(asyncio.create_task(self._listen(on_request)))

    async def _listen(self, on_request: Callable[[RolloutRequest, RequestEntry], Any]) -> None:
        consumer = AIOKafkaConsumer(
            self._kafka.names.requests,
            group_id=self._kafka.names.controller_group,
            auto_offset_reset="earliest",
            **client_options(self._kafka),
        )
        await consumer.start()
        try:
            async for record in consumer:
                request = decode_request(record.value)
                self.asked.append(request)
                entry = RequestEntry(
                    request_id=request.request_id,
                    kind=request.kind,
                    offset=record.offset,
                    accepted=True,
                    requested_by=request.requested_by,
                )
                await on_request(request, entry)
        finally:
            await consumer.stop()

    def _transition(
        self, state: RolloutState, previous: Phase | None, entered: Rollout
    ) -> AuditRecord:
        return AuditRecord(
            kind="transition",
            incarnation=state.incarnation,
            revision=state.revision,
            at=now(),
            rollout_id=entered.rollout_id,
            transition=TransitionEntry(
                previous=previous,
                phase=Phase(str(state.phase)),
                code=entered.code,
                reason=entered.reason,
                step=entered.step,
                serving=state.serving,
            ),
            rollout=entered,
        )

    def _about(self, state: RolloutState, entry: RequestEntry) -> AuditRecord:
        rollout_id = state.rollout.rollout_id if state.rollout else ""
        return AuditRecord(
            kind="request",
            incarnation=state.incarnation,
            revision=state.revision,
            at=now(),
            rollout_id=rollout_id,
            request=entry,
        )
