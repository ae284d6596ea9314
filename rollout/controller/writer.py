"""Writes a plan: state and audit in one transaction, under the id that only one can hold.

Opening it (InitProducerId) fences whoever wrote before and ends what they left open; only what
is read after that is the true state. After any error the outcome is unknown and the writer is
never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.audit import AuditRecord, encode_audit
from contracts.control import encode_state
from contracts.errors import TransientError
from contracts.headers import AUDIT_KIND, Header, cloud_event
from contracts.topics import CONTROL_KEY, TopicNames
from rollout.controller.plan import Plan
from rollout.controller.timing import moment

_MOST_BYTES = 1_000_000


class OfficeLostError(TransientError):
    """Another controller writes, or the outcome of a write is unknown: this term is over."""

    default_code = "office_lost"


class Writer:
    """The controller's one producer.

    Args:
        names: of the topics.
        client_options: how Kafka is reached.
        transaction_timeout_ms: the broker aborts a write that is open for so long.
    """

    def __init__(
        self, names: TopicNames, client_options: Mapping[str, Any], transaction_timeout_ms: int
    ) -> None:
        self._names = names
        self._producer = AIOKafkaProducer(
            transactional_id=names.transactional_id("controller", names.control, 0),
            transaction_timeout_ms=transaction_timeout_ms,
            max_request_size=2 * _MOST_BYTES,
            # Judgements repeat the same words; a rollout writes thousands of them.
            compression_type="gzip",
            **client_options,
        )

    async def open(self) -> None:
        """Become the one who writes.

        Raises:
            OfficeLostError: Kafka did not let it.
        """
        try:
            await self._producer.start()
        except (KafkaError, OSError) as error:
            raise OfficeLostError(
                f"the controller's producer was not opened: {type(error).__name__}"
            ) from error

    async def close(self) -> None:
        """Let go; what was not committed is aborted by the next one who opens."""
        stopping = asyncio.create_task(self._producer.stop())
        await asyncio.wait([stopping], timeout=5.0)
        if stopping.done() and not stopping.cancelled():
            stopping.exception()

    async def write(self, plan: Plan) -> None:
        """Write a plan, whole or not at all.

        Raises:
            OfficeLostError: it is not known to be written; read the topic again.
        """
        try:
            await self._producer.begin_transaction()
            sent = [await self._send_state(plan)]
            for number, record in enumerate(plan.audit):
                sent.append(await self._send_audit(record, number, plan))
            # An unawaited failure would commit without that record.
            for outcome in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
            await self._commit()
        except (KafkaError, OSError, AssertionError) as error:
            raise OfficeLostError(f"a write has failed: {type(error).__name__}") from error

    async def _send_state(self, plan: Plan) -> Any:
        state = plan.state
        return await self._producer.send(
            self._names.control,
            encode_state(state),
            key=CONTROL_KEY,
            headers=self._headers("control", f"{state.incarnation}/{state.revision}", plan),
        )

    async def _send_audit(self, record: AuditRecord, number: int, plan: Plan) -> Any:
        headers = self._headers("audit", f"{record.incarnation}/{record.revision}/{number}", plan)
        return await self._producer.send(
            self._names.audit,
            encode_audit(record),
            key=record.rollout_id.encode() or None,
            headers=[*headers, (AUDIT_KIND, record.kind.encode())],
        )

    async def _commit(self) -> None:
        # Shielded: aiokafka goes on with a cancelled commit, and the outcome would be unknown.
        await asyncio.shield(self._producer.commit_transaction())

    @staticmethod
    def _headers(kind: str, event_id: str, plan: Plan) -> list[Header]:
        at = moment(plan.state.updated_at)
        assert at is not None  # noqa: S101  (made by ``stamp``)
        return cloud_event(event_id=event_id, source="/mgeo/controller", kind=kind, at=at)
