"""Which model made each result, held against what the controller had decided at that moment.

Every result names the serving epoch that it was made under. An epoch is one serving set, so it
fixes the one model that may have made the result of a given record; and within a partition
epochs never fall, else an old model would have served after a new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.audit import AuditRecord, decode_audit
from contracts.control import ServingSet
from contracts.headers import track_of
from contracts.routing import takes_candidate
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from deploy.ledger import Lane, Place, read_topic


@dataclass(frozen=True, slots=True)
class Served:
    """One published result, by what made it.

    Attributes:
        place: where its input is.
        model: the spec that it names.
        epoch: the serving epoch that it names.
        addresses: how many results are in it.
    """

    place: Place
    model: ModelSpec
    epoch: int
    addresses: int


def serving_violations(
    served: Sequence[Served],
    sets: Mapping[int, ServingSet],
    asked: Mapping[Place, str] | None = None,
) -> list[str]:
    """What is wrong, in words; empty when every result is by the one model it should be. Pure.

    Args:
        served: results in the order of the log.
        sets: the serving set of each epoch.
        asked: tracks that publishers asked for by header, by the record's place.
    """
    found: list[str] = []
    last: dict[Lane, int] = {}
    for one in served:
        lane, place = one.place.lane, one.place
        if one.epoch < last.get(lane, 0):
            found.append(f"epoch {one.epoch} after {last[lane]} at {place}")
        last[lane] = max(one.epoch, last.get(lane, 0))
        serving = sets.get(one.epoch)
        if serving is None:
            found.append(f"epoch {one.epoch}, which nobody has written, at {place}")
            continue
        track = (asked or {}).get(one.place)
        expected = _model_for(serving, place.partition, place.offset, track)
        if one.model.key != expected.key:
            found.append(
                f"{one.model.name} in epoch {one.epoch} at {one.place}, expected {expected.name}"
            )
    return found


def _model_for(serving: ServingSet, partition: int, offset: int, track: str | None) -> ModelSpec:
    if serving.candidate is None or track == "stable":
        return serving.stable
    takes = track == "canary" or takes_candidate(
        serving.rollout_id, partition, offset, serving.share
    )
    return serving.candidate if takes else serving.stable


def serving_sets(first: ServingSet, audit: Iterable[AuditRecord]) -> dict[int, ServingSet]:
    """The serving set of each epoch, from the first one and what the audit says of the others."""
    sets = {first.serving_epoch: first}
    for record in audit:
        if record.transition is not None:
            sets[record.transition.serving.serving_epoch] = record.transition.serving
    return sets


async def read_served(kafka: KafkaSettings) -> list[Served]:
    """Every published result, in the order of its partition's log."""
    return [served_of(record) for record in await read_topic(kafka, kafka.names.parsed)]


def served_of(record: Any) -> Served:
    """One record of the result topic."""
    message = json.loads(record.value)
    origin, model = message["origin"], message["model"]
    return Served(
        place=Place(origin["topic"], origin["partition"], origin["offset"]),
        model=ModelSpec.model_validate(model),
        epoch=model["serving_epoch"],
        addresses=len(message["results"]),
    )


async def read_audit(kafka: KafkaSettings) -> list[AuditRecord]:
    """The whole audit, oldest first."""
    return [decode_audit(record.value) for record in await read_topic(kafka, kafka.names.audit)]


async def read_asked_tracks(kafka: KafkaSettings) -> dict[Place, str]:
    """The track that publishers asked for by header, by the record's place."""
    asked: dict[Place, str] = {}
    for topic in kafka.names.inputs:
        for record in await read_topic(kafka, topic):
            track = track_of(record.headers)
            if track is not None:
                asked[Place(topic, record.partition, record.offset)] = track
    return asked
