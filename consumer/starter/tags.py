"""The starter models' label map, and components as one tag per token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumer.starter.generator.pieces import Part
from contracts.components import COMPONENT_TYPES

LABELS: Final = ("O", *(f"{mark}-{kind}" for kind in COMPONENT_TYPES for mark in "BIES"))
"""Row ``i`` of the classifier is ``LABELS[i]``."""

LABEL_ID: Final = {label: index for index, label in enumerate(LABELS)}


def tag_ids(parts: Sequence[Part], offsets: Sequence[tuple[int, int]]) -> list[int]:
    """One label id per token; a token belongs to the part in which it begins."""
    tags = [0] * len(offsets)
    cursor = 0
    for kind, start, end in parts:
        while cursor < len(offsets) and offsets[cursor][0] < start:
            cursor += 1
        first = cursor
        while cursor < len(offsets) and offsets[cursor][0] < end:
            cursor += 1
        last = cursor - 1
        if last < first:
            continue
        if last == first:
            tags[first] = LABEL_ID[f"S-{kind}"]
            continue
        tags[first] = LABEL_ID[f"B-{kind}"]
        tags[last] = LABEL_ID[f"E-{kind}"]
        for index in range(first + 1, last):
            tags[index] = LABEL_ID[f"I-{kind}"]
    return tags
