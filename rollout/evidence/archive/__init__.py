"""The evidence as one Parquet file: to be looked into, and to be folded again without Kafka.

What is derived in it (``exact``, ``f1``, ``unit`` …) is there for people: folding it again computes
everything anew from both results.
"""

from rollout.evidence.archive.columns import SCHEMA
from rollout.evidence.archive.reading import CutEvidence, Refolded, read_evidence, refold
from rollout.evidence.archive.writing import ArchiveWriter, export_evidence

__all__ = [
    "SCHEMA",
    "ArchiveWriter",
    "CutEvidence",
    "Refolded",
    "export_evidence",
    "read_evidence",
    "refold",
]
