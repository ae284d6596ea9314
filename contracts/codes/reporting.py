"""Codes of reports, verification and comparison."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final[tuple[CodeSpec, ...]] = (
    CodeSpec(
        "report_unwritable",
        ("usage",),
        "The directory for a report cannot be made or written to.",
        "Name a directory that can be written to.",
    ),
    CodeSpec(
        "bad_archive",
        ("usage",),
        "A file that should be archived evidence is not, or is damaged.",
        "Export it again while the topics still hold the evidence, or take another copy.",
    ),
)
