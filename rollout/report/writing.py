"""Writing a report's files into a directory. The only file here that touches a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.canonical import canonical_json
from contracts.errors import UsageError
from rollout.report.data import ReportData
from rollout.report.junit import write_junit
from rollout.report.markdown import write_markdown
from rollout.report.page import write_page

HTML: Final = "report.html"
JSON: Final = "report.json"
MARKDOWN: Final = "report.md"
JUNIT: Final = "junit.xml"
DECISION: Final = "decision.json"


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the files of a report are.

    Attributes:
        directory: of all of them.
        html: the page, one file that loads nothing.
        json: the whole ``ReportData``.
        markdown: for a merge request's comment.
        junit: for a CI server.
        decision: the decision record as its digest is taken over; None while there is none.
        evidence: the evidence as Parquet; None where it was not asked for.
        cuts: the recorded cuts, one a line; None like ``evidence``.
    """

    directory: Path
    html: Path
    json: Path
    markdown: Path
    junit: Path
    decision: Path | None
    evidence: Path | None = None
    cuts: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that were written."""
        written = (self.html, self.json, self.markdown, self.junit)
        more = (self.decision, self.evidence, self.cuts)
        return (*written, *(path for path in more if path is not None))


def write_report(data: ReportData, directory: Path) -> ReportFiles:
    """Write every format; files of an earlier report in the same directory are replaced.

    The same data gives the same bytes. Each file appears whole or not at all.

    Raises:
        UsageError: ``report_unwritable``.
    """
    contents = {
        HTML: write_page(data).encode(),
        JSON: data.model_dump_json().encode() + b"\n",
        MARKDOWN: write_markdown(data).encode(),
        JUNIT: write_junit(data),
    }
    if data.decision is not None:
        contents[DECISION] = canonical_json(data.decision)
    prepare(directory)
    with unwritable(directory):
        for name, content in contents.items():
            _replace(directory / name, content)
        if data.decision is None:
            (directory / DECISION).unlink(missing_ok=True)
    return ReportFiles(
        directory=directory,
        html=directory / HTML,
        json=directory / JSON,
        markdown=directory / MARKDOWN,
        junit=directory / JUNIT,
        decision=directory / DECISION if data.decision is not None else None,
    )


def prepare(directory: Path) -> None:
    """Make the directory of a report, before work is done for it.

    Raises:
        UsageError: ``report_unwritable``.
    """
    with unwritable(directory):
        directory.mkdir(parents=True, exist_ok=True)


@contextmanager
def unwritable(directory: Path) -> Iterator[None]:
    """Say what to do where a directory can't be written to.

    Raises:
        UsageError: ``report_unwritable``.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {directory}: {error.strerror}",
            code="report_unwritable",
            hint="name a directory that can be written to",
        ) from error


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
