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
    CodeSpec(
        "nothing_decided",
        ("verdict",),
        "A rollout was to be verified that has decided nothing yet.",
        "Verify it again when it has passed or ended.",
    ),
    CodeSpec(
        "decision_unverifiable",
        ("verdict",),
        "The audit does not say what the rollout to be verified was about.",
        "It was written by an earlier release; verify an archive of its report.",
    ),
    CodeSpec(
        "archive_incomplete",
        ("verdict",),
        "The directory to be verified lacks files of a report, or they are damaged.",
        "Write the whole archive with mgeo rollout report ID --out DIR.",
    ),
    CodeSpec(
        "bad_results_file",
        ("usage",),
        "A file that should hold saved results cannot be read, or no line of it is one.",
        "Write one with mgeo results --out results.jsonl.",
    ),
    CodeSpec(
        "version_not_in_range",
        ("usage",),
        "Two versions were to be compared, and one of them made no result in the range.",
        "Name a version that is there, or widen the range.",
    ),
)
