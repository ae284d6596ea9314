"""Whether two runs of one model said the same: all alike, confidences within a hair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

CONFIDENCE_WITHIN: Final = 1e-3
"""The same address in another batch, padded otherwise, is summed in another order."""


def differences(
    one: Mapping[str, Sequence[Mapping[str, Any]]], other: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """Where they differ, in words; empty when they do not.

    Args:
        one: results by batch id, as JSON would have them.
        other: the same of the other run.
    """
    found = [f"{key}: only in one of them" for key in one.keys() ^ other.keys()]
    for key in one.keys() & other.keys():
        found += [f"{key}{where}" for where in _apart(one[key], other[key], "")]
    return found


def _apart(one: Any, other: Any, where: str) -> list[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return [f"{where}: other fields"]
        return [line for key in one for line in _apart(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [f"{where}: {len(one)} against {len(other)}"]
        pairs = enumerate(zip(one, other, strict=True))
        return [line for at, (a, b) in pairs for line in _apart(a, b, f"{where}[{at}]")]
    if where.endswith(".confidence") and isinstance(one, float) and isinstance(other, float):
        close = math.isclose(one, other, rel_tol=0, abs_tol=CONFIDENCE_WITHIN)
        return [] if close else [f"{where}: {one} against {other}"]
    return [] if one == other else [f"{where}: differs"]
