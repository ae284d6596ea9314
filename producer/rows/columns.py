"""Which column holds the address, and which one names the row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.errors import UsageError

TEXT_NAMES: Final = (
    "text",
    "address",
    "addr",
    "full_address",
    "fulladdress",
    "raw_address",
    "地址",
    "详细地址",
    "完整地址",
    "收货地址",
    "收件地址",
    "联系地址",
    "家庭住址",
    "住址",
)
ID_NAMES: Final = ("id", "row_id", "address_id", "编号", "序号", "地址编号")


def find_text_column(columns: Sequence[str], wanted: str | None) -> int:
    """The place of the column with the addresses.

    A name that is given must be there. Else the only column, the one column that has a
    usual name, or the one that has 地址 or address in its name.

    Raises:
        UsageError: ``no_column``, or ``ambiguous_column`` naming all columns.
    """
    if wanted is not None:
        return find_column(columns, wanted, "--text-column")
    if len(columns) == 1:
        return 0
    folded = [name.strip().casefold() for name in columns]
    for candidates in (
        [place for place, name in enumerate(folded) if name in TEXT_NAMES],
        [place for place, name in enumerate(folded) if "地址" in name or "address" in name],
    ):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            break
    found = ", ".join(columns[place] for place in candidates)
    reason = f"several columns may hold the address ({found})" if found else "no column says so"
    raise UsageError(
        f"it is not clear which column holds the address: {reason}",
        code="ambiguous_column",
        hint=f"say it with --text-column; the columns are: {', '.join(columns)}",
    )


def find_id_column(columns: Sequence[str], wanted: str | None, text: int) -> int | None:
    """The place of the column that names the rows; None where their numbers will do.

    Raises:
        UsageError: ``no_column``.
    """
    if wanted is not None:
        return find_column(columns, wanted, "--id-column")
    candidates = [
        place
        for place, name in enumerate(columns)
        if name.strip().casefold() in ID_NAMES and place != text
    ]
    return candidates[0] if len(candidates) == 1 else None


def find_column(columns: Sequence[str], wanted: str, option: str) -> int:
    """The place of a column that was named with an option.

    Raises:
        UsageError: ``no_column``, naming all columns.
    """
    if wanted in columns:
        return columns.index(wanted)
    folded = [name.strip().casefold() for name in columns]
    if folded.count(wanted.strip().casefold()) == 1:
        return folded.index(wanted.strip().casefold())
    raise UsageError(
        f"there is no column {wanted[:60]!r} ({option})",
        code="no_column",
        hint=f"the columns are: {', '.join(columns)}",
    )
