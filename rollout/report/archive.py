"""What a report leaves beside its pages, so that its decision can be checked when the topics are
gone: the recorded cuts and the evidence itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contracts.audit import CutEntry

CUTS: Final = "cuts.jsonl"
EVIDENCE: Final = "evidence.parquet"


def write_cuts(path: Path, entries: Iterable[CutEntry]) -> None:
    """One recorded cut a line, with what was said at it."""
    with path.open("wb") as file:
        for entry in entries:
            file.write(entry.model_dump_json().encode() + b"\n")


def read_cuts(path: Path) -> list[CutEntry]:
    """The cuts of an archive, in order.

    Raises:
        OSError: there is no such file.
        ValueError: a line is no cut.
    """
    with path.open("rb") as file:
        return [CutEntry.model_validate_json(line) for line in file if line.strip()]
