"""What every version has served, read from the audit and the results alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from contracts.events import ParsedBatch
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from deploy.rollouts import opener, rollout_client
from rollout.history import Period, Rollouts, Served, Summary
from rollout.logs import Log
from rollout.report.data import ServedFigures


@dataclass(frozen=True, slots=True)
class VersionHistory:
    """One spec.

    Attributes:
        spec: which.
        periods: when it served, by the audit; what served before the first rollout has none.
        served: what it served, by track and serving epoch, by the results that are still kept.
        rollouts: those in which it was the candidate, the newest first.
    """

    spec: ModelSpec
    periods: tuple[Period, ...]
    served: tuple[ServedFigures, ...]
    rollouts: tuple[Summary, ...]


@dataclass(frozen=True, slots=True)
class History:
    """All specs, in order of appearance, and what could not be counted."""

    versions: tuple[VersionHistory, ...]
    unreadable: int = 0
    uncounted: int = 0


async def read_history(
    kafka: KafkaSettings,
    *,
    since: datetime | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Fold the audit and the results.

    Args:
        kafka: the cluster.
        since: only results written at or after this moment.
        progress: told how many result records have been read since it was told last.

    Raises:
        BackendUnreachableError: Kafka does not answer.
        UsageError: ``no_topic``.
    """
    rollouts, served, unreadable = Rollouts(), Served(), 0
    async for record in rollout_client(kafka).audit():
        rollouts.take(record)
    async with opener(kafka)(kafka.names.parsed) as log:
        log.seek(await _begin(log, since))
        ends = await log.ends()
        while not await log.passed(ends):
            records = await log.poll()
            for record in records:
                if record.offset >= ends[record.partition]:
                    continue
                try:
                    batch = ParsedBatch.model_validate_json(record.value or b"")
                except ValidationError:
                    unreadable += 1
                    continue
                served.take(batch, record.timestamp)
            progress(len(records))
    return History(_by_spec(rollouts, served), unreadable, served.uncounted)


async def _begin(log: Log, since: datetime | None) -> dict[int, int]:
    begins = await log.beginnings()
    if since is None:
        return begins
    found = await log.since(since)
    return {partition: max(begins[partition], found[partition]) for partition in begins}


def _by_spec(rollouts: Rollouts, served: Served) -> tuple[VersionHistory, ...]:
    figures = served.figures()
    specs = {spec.key: spec for spec in rollouts.specs()}
    specs |= {one.model.key: one.model for one in figures if one.model.key not in specs}
    summaries = rollouts.summaries()
    return tuple(
        VersionHistory(
            spec=spec,
            periods=rollouts.periods(spec),
            served=tuple(one for one in figures if one.model.key == key),
            rollouts=tuple(
                one for one in summaries if one.candidate is not None and one.candidate.key == key
            ),
        )
        for key, spec in specs.items()
    )
