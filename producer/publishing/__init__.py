"""Publishing whole files: planned the same way every time, so that a run can be resumed."""

from producer.publishing.journal import Journal, journal_path
from producer.publishing.plan import PlannedBatch, RefusedRow, plan_batches
from producer.publishing.run import Counts, FilePublication

__all__ = [
    "Counts",
    "FilePublication",
    "Journal",
    "PlannedBatch",
    "RefusedRow",
    "journal_path",
    "plan_batches",
]
