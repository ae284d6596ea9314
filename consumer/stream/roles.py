"""What differs between roles, as a value: topics, plan, routing, composing.

The engine has no ``if role``; it is given one of these. ``shadow.py`` makes the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aiokafka import ConsumerRecord

from consumer.stream.compose import Composer, ParsedComposer, largest_dead_letter_bytes
from consumer.stream.lane import Router
from consumer.stream.plan import Plan
from consumer.stream.sides import Route, Side
from consumer.stream.traffic import Traffic
from contracts.control import RolloutState
from contracts.headers import track_of
from contracts.limits import Limits
from contracts.routing import takes_candidate
from contracts.topics import RECORD_OVERHEAD_BYTES, TopicNames

CRASHED_WORKER = "crashed_worker"


@dataclass(frozen=True, slots=True)
class Role:
    """One role of a worker.

    Attributes:
        name: part of the transactional ids.
        inputs: the class of traffic on each topic that it reads.
        largest: the largest record that it writes, in bytes, by topic; each topic needs at
            least as many partitions as the input.
        plan: what it does under a control state; None when there is nothing to do.
        waits_for: what it waits for while there is no plan, for people.
        route: chooses the models of a record; None passes the record over.
        composer: makes the record that is published.
        crash_code: what is said of a record that keeps killing the process.
        patience_s: for how long results may at least wait for one another before a lane commits
            them; 0 where somebody waits.
        dead_letters: the topic of records that it cannot work on; None where it has none.
        replies: the topics on which it tells whoever waits for a record, and the largest
            reply, in bytes; empty where nobody waits.
        answers_repeats: True where what is known of a text may answer for it. False where
            every record must really run: its timing and its place in the log are the point.
    """

    name: str
    inputs: Mapping[str, Traffic]
    largest: Mapping[str, int]
    plan: Callable[[RolloutState], Plan | None]
    waits_for: str
    route: Router
    composer: Composer
    crash_code: str
    answers_repeats: bool
    patience_s: float = 0.0
    dead_letters: str | None = None
    replies: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def stable_role(names: TopicNames, limits: Limits) -> Role:
    """Serves production: the serving set's stable model, and its candidate by share."""

    result = limits.max_result_bytes + RECORD_OVERHEAD_BYTES

    def plan(state: RolloutState) -> Plan:
        return serving_plan(state, names.stable_group)

    return Role(
        name="stable",
        inputs={names.events: Traffic.BULK, names.interactive: Traffic.INTERACTIVE},
        largest={
            names.parsed: result,
            names.dead_letters: largest_dead_letter_bytes(limits),
        },
        plan=plan,
        waits_for="a control record naming the model to serve",
        route=route_by_serving_set,
        composer=ParsedComposer(names, limits),
        crash_code=CRASHED_WORKER,
        answers_repeats=True,
        dead_letters=names.dead_letters,
        replies={names.replies: result},
    )


def serving_plan(state: RolloutState, group: str) -> Plan:
    """Serve under this state's serving set; without its candidate if that cannot be held."""
    serving = state.serving
    models = {"stable": serving.stable}
    fallback = None
    if serving.candidate is not None:
        models["candidate"] = serving.candidate
        alone = serving.model_copy(update={"candidate": None, "share": 0.0})
        fallback = serving_plan(state.model_copy(update={"serving": alone}), group)
    return Plan(
        state=state,
        group=group,
        epoch=serving.serving_epoch,
        models=models,
        keeps=() if state.previous is None else (state.previous,),
        fallback=fallback,
    )


def route_by_serving_set(state: RolloutState, message: ConsumerRecord) -> Route:
    """The candidate if the publisher asks for it or the record falls into its share."""
    serving = state.serving
    asked = track_of(message.headers)
    candidate = serving.candidate
    if candidate is not None and asked != "stable":
        chosen = asked == "canary" or takes_candidate(
            serving.rollout_id, message.partition, message.offset, serving.share
        )
        if chosen:
            return Route((Side(candidate, "canary"),), serving.serving_epoch)
    return Route((Side(serving.stable, "stable"),), serving.serving_epoch)
