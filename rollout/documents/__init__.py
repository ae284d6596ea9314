"""Files that people write for a rollout: read strictly, each fault with its place."""

from rollout.documents.checking import check, dotted, nearest
from rollout.documents.faults import DocumentError, Problem, Where
from rollout.documents.text import decoded, read_bytes, read_text
from rollout.documents.tree import Node, read_document

__all__ = [
    "DocumentError",
    "Node",
    "Problem",
    "Where",
    "check",
    "decoded",
    "dotted",
    "nearest",
    "read_bytes",
    "read_document",
    "read_text",
]
