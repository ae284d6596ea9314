"""Which columns a table of results has: all of the input's, then ours. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from contracts.components import COMPONENT_TYPES
from contracts.events import AddressResult

RESULT_COLUMNS: Final = (*COMPONENT_TYPES, "adcode", "confidence", "status", "error_code")
"""What a result adds to a row, in this order."""

NUMBER_COLUMNS: Final = frozenset({"confidence"})

NO_RESULT: Final = "no_result"
"""The error code of a row whose result did not come in time."""


def added_columns(existing: Sequence[str]) -> tuple[str, ...]:
    """The names of our columns; where the input has one of a name, ours gets ``mgeo_``."""
    taken = set(existing)
    names = []
    for plain in RESULT_COLUMNS:
        name = plain
        while name in taken:
            name = f"mgeo_{name}"
        taken.add(name)
        names.append(name)
    return tuple(names)


def result_cells(result: AddressResult) -> tuple[Any, ...]:
    """One result as the cells of RESULT_COLUMNS; None where there is nothing."""
    return (
        *(result.address.get(kind) for kind in COMPONENT_TYPES),
        result.adcode,
        None if result.confidence is None else round(result.confidence, 6),
        result.status,
        result.error,
    )


def error_cells(code: str) -> tuple[Any, ...]:
    """The cells of RESULT_COLUMNS for a row without a result."""
    return (*(None for _ in RESULT_COLUMNS[:-2]), "error", code)
