"""Folding an archive of evidence again, without Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from contracts.errors import UsageError
from contracts.events import AddressResult, Origin, ShadowBatch, ShadowPair, ShadowSide
from contracts.judgement import Accounting, Judgement
from contracts.rollout import Cut, Rollout
from rollout.evidence.archive.columns import NONE, VERSION
from rollout.evidence.pairing import MissingRecord
from rollout.evidence.parties import Judging, Observer
from rollout.evidence.production import ProductionEvidence
from rollout.evidence.trial import Trial

_BATCH: Final = 2_000


@dataclass(slots=True)
class CutEvidence:
    """What one cut brought, as it was archived.

    Attributes:
        number: of the cut.
        pairs: that were folded, in canonical order; repeats are only counted.
        production: results that could be compared, as hashes.
        missing: records without a pair.
        repeated: pairs that came again.
        expired: partitions whose evidence had been deleted by then.
        spoiled: see ``Trial.spoiled``.
    """

    number: int
    pairs: list[ShadowPair] = field(default_factory=list)
    production: list[ProductionEvidence] = field(default_factory=list)
    missing: list[MissingRecord] = field(default_factory=list)
    repeated: int = 0
    expired: tuple[int, ...] = ()
    spoiled: str = ""


@dataclass(frozen=True, slots=True)
class Refolded:
    """What folding an archive again gave.

    Attributes:
        judgements: at each cut.
        outcomes: records folded, in all.
        chain: hash chain over them.
        accounting: as of the last cut.
        links: outcomes and chain at each cut.
    """

    judgements: tuple[Judgement, ...]
    outcomes: int
    chain: str
    accounting: Accounting
    links: tuple[tuple[int, str], ...]


def read_evidence(path: Path) -> Iterator[CutEvidence]:
    """What an archive holds, cut by cut; memory is one cut.

    Raises:
        UsageError: ``bad_archive``.
    """
    try:
        with pq.ParquetFile(path) as file:
            if (file.schema_arrow.metadata or {}).get(b"mgeo-evidence") != VERSION:
                raise _bad_archive(path)
            yield from _cuts(
                row for batch in file.iter_batches(_BATCH) for row in batch.to_pylist()
            )
    except (OSError, pa.ArrowException, ValidationError, ValueError, KeyError, TypeError) as error:
        raise _bad_archive(path) from error


def refold(
    path: Path,
    rollout: Rollout,
    cuts: Sequence[Cut],
    *,
    observer: Observer | None = None,
    judge: Judging | None = None,
) -> Refolded:
    """Fold an archive again, without Kafka.

    Args:
        path: of the archive.
        rollout: whose evidence it is said to be.
        cuts: of the rollout, in order, as the audit has them.
        observer: sees what is folded.
        judge: takes the place of ``rollout.judge.Judge``.

    Raises:
        UsageError: ``bad_archive``.
    """
    trial = Trial(rollout, judge=judge, observer=observer)
    judgements: list[Judgement] = []
    links: list[tuple[int, str]] = []
    archived = read_evidence(path)
    group = next(archived, None)
    for cut in cuts:
        while group is not None and group.number < cut.number:
            group = next(archived, None)
        if group is not None and group.number == cut.number:
            _deliver(trial, group)
        judgements.append(trial.close(cut))
        links.append((trial.outcomes, trial.chain))
    for _ in archived:  # a damaged rest must not go unseen
        pass
    return Refolded(tuple(judgements), trial.outcomes, trial.chain, trial.accounting, tuple(links))


def _deliver(trial: Trial, group: CutEvidence) -> None:
    for pair in group.pairs:
        trial.take_pair(pair)
    for result in group.production:
        trial.take_production(result)
    for missing in group.missing:
        trial.take_missing(missing)
    for partition in group.expired:
        trial.expire(partition)
    trial.count_repeats(group.repeated)
    trial.spoiled = trial.spoiled or group.spoiled


def _cuts(rows: Iterable[Mapping[str, Any]]) -> Iterator[CutEvidence]:
    gathering: _Gathering | None = None
    for row in rows:
        if gathering is None or row["cut"] != gathering.cut.number:
            if gathering is not None:
                yield gathering.done()
            gathering = _Gathering(CutEvidence(row["cut"]))
        gathering.take(row)
    if gathering is not None:
        yield gathering.done()


class _Gathering:
    """Puts the rows of one cut together again: a record is several of them."""

    def __init__(self, cut: CutEvidence) -> None:
        self.cut = cut
        self._record: Mapping[str, Any] | None = None
        self._results: list[tuple[Any, Any]] = []
        self._hole: tuple[int, int] | None = None
        self._units: list[int | None] = []

    def take(self, row: Mapping[str, Any]) -> None:
        """The next row."""
        here = (row["partition"], row["offset"])
        if row["kind"] == "address":
            self._results.append((row["candidate"], row["reference"]))
            return
        if row["kind"] != "missing" or here != self._hole:
            self.done()
        match row["kind"]:
            case "record":
                self._record = row
            case "missing":
                self._hole = here
                if row["index"] != NONE:
                    self._units.append(row["unit"])
            case "production":
                spec_key, track, epoch, addresses, errors = json.loads(row["record"])
                self.cut.production.append(
                    ProductionEvidence(
                        *here, spec_key, track, epoch, addresses, errors, row["flats"]
                    )
                )
            case "cut":
                note = json.loads(row["record"])
                self.cut.repeated = int(note["repeated"])
                self.cut.expired = tuple(int(one) for one in note["expired"])
                self.cut.spoiled = str(note["spoiled"])

    def done(self) -> CutEvidence:
        """Finish the record that the last rows were of."""
        if self._record is not None:
            self.cut.pairs.append(_pair(self._record, self._results))
        if self._hole is not None:
            units = tuple(self._units) if self._units else None
            self.cut.missing.append(MissingRecord(*self._hole, units))
        self._record, self._hole, self._results, self._units = None, None, [], []
        return self.cut


def _pair(row: Mapping[str, Any], results: Sequence[tuple[Any, Any]]) -> ShadowPair:
    record = json.loads(row["record"])
    sides = []
    for number, side in enumerate(("candidate", "reference")):
        written = [both[number] for both in results if both[number] is not None]
        parsed = tuple(AddressResult.model_validate_json(one) for one in written)
        sides.append(ShadowSide(**record[side], results=parsed))
    batch = record["batch"]
    return ShadowPair(
        batch_id=record["batch_id"],
        source=record["source"],
        origin=Origin(topic=record["topic"], partition=row["partition"], offset=row["offset"]),
        batch=None if batch is None else ShadowBatch(**batch),
        candidate=sides[0],
        reference=sides[1],
        rollout_id=record["rollout_id"],
        input_ms=row["input_ms"],
    )


def _bad_archive(path: Path) -> UsageError:
    return UsageError(
        f"{path} is not an archive of evidence, or it is damaged",
        code="bad_archive",
        hint="export it again with `mgeo rollout report` while the topics still hold the evidence",
    )
