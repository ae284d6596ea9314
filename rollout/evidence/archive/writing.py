"""Writing the evidence down while it is folded: one row for each address, in canonical order."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.events import ShadowPair
from contracts.rollout import Cut, Rollout
from contracts.topics import TopicNames
from rollout.evidence.archive.columns import NONE, SCHEMA
from rollout.evidence.pairing import AddressEvidence, PairEvidence
from rollout.evidence.parties import Observer
from rollout.evidence.production import ProductionEvidence
from rollout.evidence.reader import EvidenceReader
from rollout.evidence.trial import Trial
from rollout.logs import OpenLog

_ROW_GROUP: Final = 20_000


class ArchiveWriter:
    """Writes one archive. A ``Recorder``; use as a context manager, and ``end`` every cut."""

    def __init__(self, path: Path, rollout_id: str) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._number = 0
        self._repeated = 0
        metadata = {**SCHEMA.metadata, b"mgeo-rollout": rollout_id.encode()}
        self._schema = SCHEMA.with_metadata(metadata)
        self._part = path.with_name(f"{path.name}.part")

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._part, self._schema, compression="zstd")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()
        if error is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)

    def begin(self, number: int) -> None:
        """What follows belongs to this cut."""
        self._number = number

    def end(self, trial: Trial) -> None:
        """The cut was folded."""
        repeated = trial.accounting.repeated
        self._row(
            "cut",
            record=json.dumps(
                {
                    "repeated": repeated - self._repeated,
                    "expired": trial.expired,
                    "spoiled": trial.spoiled,
                }
            ),
        )
        self._repeated = repeated

    def record(self, evidence: PairEvidence, fresh: Sequence[AddressEvidence]) -> None:
        """One record of the sample; see ``trial.Recorder``."""
        if evidence.source is None:
            if evidence.kind == "unreadable":
                self._row("missing", evidence.partition, evidence.offset)
            self._missing(evidence)
            return
        pair = ShadowPair.model_validate_json(evidence.source)
        same: dict[str, Any] = {
            "record": json.dumps(_record(pair), ensure_ascii=False),
            "input_ms": pair.input_ms,
            "device_batch": pair.batch.id if pair.batch is not None else None,
            "candidate_ms": pair.candidate.device_ms,
            "reference_ms": pair.reference.device_ms,
        }
        place = (evidence.partition, evidence.offset)
        self._row("record", *place, **same)
        found = {one.index: one for one in evidence.addresses}
        counted = {one.index for one in fresh}
        if not pair.candidate.results and not pair.reference.results:
            self._missing(evidence)
        results = zip_longest(pair.candidate.results, pair.reference.results)
        for index, (candidate, reference) in enumerate(results):
            address = found.get(index)
            derived: dict[str, Any] = (
                {}
                if address is None
                else {
                    "unit": address.unit,
                    "first": index in counted,
                    "slice": address.slice,
                    "exact": address.exact,
                    "f1": address.f1,
                    "candidate_error": address.candidate_error,
                    "reference_error": address.reference_error,
                }
            )
            self._row(
                "address",
                *place,
                index,
                candidate=None if candidate is None else candidate.model_dump_json(),
                reference=None if reference is None else reference.model_dump_json(),
                input_ms=pair.input_ms,
                device_batch=same["device_batch"],
                candidate_ms=same["candidate_ms"],
                reference_ms=same["reference_ms"],
                **derived,
            )

    def production(self, result: ProductionEvidence) -> None:
        """One of production's results; see ``trial.Recorder``."""
        self._row(
            "production",
            result.partition,
            result.offset,
            record=json.dumps(
                [
                    result.spec_key,
                    result.track,
                    result.serving_epoch,
                    result.addresses,
                    result.errors,
                ]
            ),
            flats=result.flats,
        )

    def _missing(self, evidence: PairEvidence) -> None:
        place = (evidence.partition, evidence.offset)
        found = {one.index: one.unit for one in evidence.addresses}
        for index in range(evidence.size):
            self._row("missing", *place, index, unit=found.get(index))

    def _row(
        self,
        kind: str,
        partition: int = NONE,
        offset: int = NONE,
        index: int = NONE,
        **rest: Any,
    ) -> None:
        place = {"partition": partition, "offset": offset, "index": index}
        self._rows.append({"kind": kind, "cut": self._number, **place, **rest})
        if len(self._rows) >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


def _record(pair: ShadowPair) -> dict[str, Any]:
    """Everything of a pair that is not in columns of their own."""
    return {
        "topic": pair.origin.topic,
        "rollout_id": pair.rollout_id,
        "batch_id": pair.batch_id,
        "source": pair.source,
        "batch": None if pair.batch is None else pair.batch.model_dump(mode="json"),
        "candidate": pair.candidate.model_dump(mode="json", exclude={"results"}),
        "reference": pair.reference.model_dump(mode="json", exclude={"results"}),
    }


async def export_evidence(
    open_log: OpenLog,
    names: TopicNames,
    rollout: Rollout,
    cuts: Sequence[Cut],
    path: Path,
    *,
    observer: Observer | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trial:
    """Read the evidence of a rollout once more and write it to one Parquet file.

    Args:
        open_log: opens a topic.
        names: of the topics.
        rollout: whose evidence.
        cuts: all of them, in order, as the audit has them.
        path: of the file; it appears only when it is complete.
        observer: sees what is folded, in canonical order.
        progress: told after each cut: cuts done, and in all.

    Returns:
        The fold of it: its chain and counts are what the decision record has, unless the topics
        have lost something since.

    Memory is one cut's pairs and one row group.
    """
    with ArchiveWriter(path, rollout.rollout_id) as archive:
        reader = EvidenceReader(open_log, names, rollout, observer=observer, recorder=archive)
        async with reader:
            for done, cut in enumerate(cuts, 1):
                archive.begin(cut.number)
                await reader.advance(cut)
                archive.end(reader.trial)
                if progress is not None:
                    progress(done, len(cuts))
        return reader.trial
