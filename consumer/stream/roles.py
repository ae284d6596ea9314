"""What differs between roles, as a value: group, topics, routing, composing.

The engine has no ``if role``; it is given one of these.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka import ConsumerRecord

from consumer.stream.compose import ParsedComposer
from consumer.stream.lane import Router
from consumer.stream.records import Route
from contracts.control import RolloutState
from contracts.headers import track_of
from contracts.limits import Limits
from contracts.routing import takes_candidate
from contracts.topics import TopicNames


@dataclass(frozen=True, slots=True)
class Role:
    """One role of a worker.

    Attributes:
        name: part of the transactional ids.
        group: the consumer group.
        input_topic: what it reads.
        output_topics: where it writes; each needs at least as many partitions as the input.
        route: chooses the model of a record.
        composer: makes the record that is published.
    """

    name: str
    group: str
    input_topic: str
    output_topics: tuple[str, ...]
    route: Router
    composer: ParsedComposer


def stable_role(names: TopicNames, limits: Limits) -> Role:
    """Serves production: the serving set's stable model, and its candidate by share."""
    return Role(
        name="stable",
        group=names.stable_group,
        input_topic=names.events,
        output_topics=(names.parsed, names.dead_letters),
        route=route_by_serving_set,
        composer=ParsedComposer(names, limits),
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
            return Route(candidate, "canary", serving.serving_epoch)
    return Route(serving.stable, "stable", serving.serving_epoch)
