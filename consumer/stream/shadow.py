"""The shadow role: candidate and reference on the same device batches, for evidence alone.

It reads the input under the rollout's own group and writes ``address.shadow`` and nothing else.
A record that cannot be read, or that kills the process, is evidence too and no dead letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from aiokafka import ConsumerRecord

from consumer.stream.compose import outgoing, served_model
from consumer.stream.plan import Plan
from consumer.stream.records import Outgoing, Record
from consumer.stream.roles import Role
from consumer.stream.sides import Route, Side
from consumer.stream.steps import traced
from consumer.stream.traffic import Traffic
from contracts.control import RolloutState
from contracts.errors import PermanentError
from contracts.events import ShadowBatch, ShadowPair, ShadowSide
from contracts.fitting import fit_pair
from contracts.headers import header_bytes, shadow_headers
from contracts.limits import Limits
from contracts.phases import SHADOWED
from contracts.routing import in_shadow
from contracts.topics import (
    RECORD_OVERHEAD_BYTES,
    TopicNames,
    largest_pair_bytes,
    pair_value_bytes,
)

CANDIDATE_CRASHED: Final = "candidate_crashed"

_PATIENCE_S: Final = 2.0
"""Evidence is looked at every few seconds. A transaction for each of its records would take the
broker's time from the stable stream, whose records somebody waits for."""


def shadow_role(names: TopicNames, limits: Limits) -> Role:
    """Runs the rollout's candidate beside its reference; idle while there is no rollout."""

    def plan(state: RolloutState) -> Plan | None:
        return shadow_plan(state, names)

    return Role(
        name="shadow",
        inputs={names.events: Traffic.BULK},
        largest={names.shadow: largest_pair_bytes(limits)},
        plan=plan,
        waits_for="a rollout",
        route=route_by_sample,
        composer=PairComposer(names, limits),
        crash_code=CANDIDATE_CRASHED,
        answers_repeats=False,
        patience_s=_PATIENCE_S,
    )


def shadow_plan(state: RolloutState, names: TopicNames) -> Plan | None:
    """Shadow the rollout that this state names; None in phases without a shadow."""
    rollout = state.rollout
    if rollout is None or state.phase not in SHADOWED:
        return None
    return Plan(
        state=state,
        group=names.shadow_group(rollout.rollout_id),
        epoch=rollout.started_revision,
        models={"candidate": rollout.candidate, "reference": rollout.reference},
        first_offsets=rollout.from_offsets,
        joins_gated=True,
        least_epoch=rollout.started_revision,
        stands_at_losses=True,
    )


def route_by_sample(state: RolloutState, message: ConsumerRecord) -> Route | None:
    """Both models, candidate first, for the records of the sample; the others are passed over."""
    rollout = state.rollout
    if rollout is None or not in_shadow(
        rollout.rollout_id, message.partition, message.offset, rollout.share
    ):
        return None
    return Route(
        (Side(rollout.candidate, "canary"), Side(rollout.reference, "stable")),
        state.serving.serving_epoch,
        rollout.rollout_id,
    )


@dataclass(frozen=True, slots=True)
class PairComposer:
    """What the shadow role publishes: a ``ShadowPair`` for every record of the sample."""

    names: TopicNames
    limits: Limits

    def compose(self, record: Record, *, finished_at: float, wall: datetime) -> Outgoing:
        """See ``Composer.compose``."""
        pair = self._pair(record)
        # A longer one came compressed, or by a topic that takes more than ours: no topic of ours
        # could carry it, and evidence is joined by origin.
        most = self.limits.max_record_bytes + RECORD_OVERHEAD_BYTES
        key = record.key if len(record.key or b"") <= most else None
        headers = shadow_headers(
            record.origin,
            rollout_id=record.route.rollout_id,
            at=wall,
            traceparent=traced(record, role="shadow", finished_at=finished_at, wall=wall),
        )
        room = pair_value_bytes(
            self.limits,
            key_bytes=len(key or b""),
            header_bytes=sum(header_bytes(*one) for one in headers),
        )
        try:
            fitted, value = fit_pair(pair, room)
        except PermanentError as error:
            fitted, value = fit_pair(_without_results(pair, error.code), room)
        candidate, reference = fitted.candidate.results, fitted.reference.results
        record.results = [list(candidate), list(reference)]
        return outgoing(self.names.shadow, record.origin, key, value, headers)

    def _pair(self, record: Record) -> ShadowPair:
        letter, batch = record.dead_letter, record.batch
        if letter is not None and letter.code == CANDIDATE_CRASHED:
            record.outcome = "crashed"
            return self._empty(record, candidate_error=letter.code, reference_error=None)
        if letter is not None or batch is None:
            record.outcome = "unreadable"
            code = letter.code if letter is not None else "permanent"
            return self._empty(record, candidate_error=code, reference_error=code)
        record.outcome = "pair"
        ran = record.device_batch
        candidate, reference = (
            ShadowSide(
                model=served_model(record.route, side, model),
                device_ms=0.0 if ran is None else round(ran.seconds[index] * 1e3, 4),
                results=tuple(one for one in results if one is not None),
            )
            for index, (side, model, results) in enumerate(
                zip(record.route.sides, record.models, record.results, strict=True)
            )
        )
        return ShadowPair(
            batch_id=batch.batch_id,
            source=batch.source,
            origin=record.origin,
            batch=None
            if ran is None
            else ShadowBatch(id=ran.id, rows=ran.rows, tokens=ran.tokens, order=_order(ran.order)),
            candidate=candidate,
            reference=reference,
            rollout_id=record.route.rollout_id,
            input_ms=record.timestamp_ms,
        )

    @staticmethod
    def _empty(
        record: Record, *, candidate_error: str | None, reference_error: str | None
    ) -> ShadowPair:
        candidate, reference = (
            ShadowSide(
                model=served_model(record.route, side, model),
                device_ms=0.0,
                results=(),
                error=error,
            )
            for side, model, error in zip(
                record.route.sides,
                record.models,
                (candidate_error, reference_error),
                strict=True,
            )
        )
        return ShadowPair(
            batch_id="",
            origin=record.origin,
            batch=None,
            candidate=candidate,
            reference=reference,
            rollout_id=record.route.rollout_id,
            input_ms=record.timestamp_ms,
        )


def _without_results(pair: ShadowPair, code: str) -> ShadowPair:
    emptied = {"results": (), "error": code}
    return pair.model_copy(
        update={
            "candidate": pair.candidate.model_copy(update=emptied),
            "reference": pair.reference.model_copy(update=emptied),
        }
    )


def _order(order: tuple[int, ...]) -> Literal["candidate_first", "reference_first"]:
    return "candidate_first" if order[0] == 0 else "reference_first"
