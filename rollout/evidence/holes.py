"""Looking into the input where the evidence has holes: is a record there, or nothing?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from contracts.decode import decode_batch
from contracts.errors import PermanentError
from contracts.limits import Limits
from contracts.rollout import Rollout
from contracts.routing import in_shadow
from rollout.evidence.pairing import MissingRecord
from rollout.evidence.units import unit_of
from rollout.logs import Log

_NEAR: Final = 200
"""Holes so near to one another are read in one go: a seek costs more than the records between."""


class HoleReader:
    """Reads single stretches of the input.

    Args:
        log: the input's log, used by nobody else.
        rollout: whose sample.
        limits: the bounds by which records are read.
    """

    def __init__(self, log: Log, rollout: Rollout, limits: Limits | None = None) -> None:
        self._log = log
        self._partitions = log.partitions
        self._rollout = rollout
        self._limits = limits or Limits()
        self.expired = False
        """Whether the newest look found its place deleted: nobody knows what stood there."""

    async def records(self, partition: int, runs: Sequence[range]) -> AsyncIterator[MissingRecord]:
        """Records of the sample that stand in these runs, in order.

        Args:
            partition: of the input.
            runs: of offsets, in order, not overlapping.
        """
        self._log.only([partition])
        first = (await self._log.beginnings()).get(partition, 0)
        # Where a rollout names no beginning, the shadow began where the log did.
        self.expired = partition in self._rollout.from_offsets and any(
            run.start < first for run in runs
        )
        kept = [range(max(run.start, first), run.stop) for run in runs if run.stop > first]
        for stretch in _stretches(kept):
            self._log.seek({partition: stretch[0].start})
            ends = {partition: stretch[-1].stop}
            wanted = iter(stretch)
            run = next(wanted)
            while not await self._log.passed(ends):
                for record in await self._log.poll():
                    while run.stop <= record.offset < ends[partition]:
                        run = next(wanted)
                    if record.offset in run and self._is_sampled(partition, record.offset):
                        yield self._missing(partition, record.offset, record.value)

    def _is_sampled(self, partition: int, offset: int) -> bool:
        rollout = self._rollout
        return in_shadow(rollout.rollout_id, partition, offset, rollout.share)

    def _missing(self, partition: int, offset: int, value: bytes | None) -> MissingRecord:
        try:
            batch = decode_batch(value, self._limits)
        except PermanentError:
            return MissingRecord(partition, offset, None)
        units = tuple(
            None if one.fault is not None or one.text is None else unit_of(one.text)
            for one in batch.addresses
        )
        return MissingRecord(partition, offset, units)


def _stretches(runs: Sequence[range]) -> list[list[range]]:
    """Runs that are near to one another, together."""
    stretches: list[list[range]] = []
    for run in runs:
        if stretches and run.start - stretches[-1][-1].stop <= _NEAR:
            stretches[-1].append(run)
        else:
            stretches.append([run])
    return stretches
