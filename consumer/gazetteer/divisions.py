"""The administrative divisions of China as one frozen table, read once per process.

Owns the file's format. Must never hold rules of lookup or completion.
"""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal, cast

Level = Literal["province", "city", "district", "town"]
LEVELS: Final[tuple[Level, ...]] = ("province", "city", "district", "town")

DATA_FILE: Final = "divisions.tsv.gz"
COLUMNS: Final = ("code", "name", "level", "parent_code")


@dataclass(frozen=True, slots=True)
class Division:
    """One administrative unit.

    ``code`` has six digits down to the district level and nine at the town level. Units
    without a public code of their own (everything in Taiwan below the province) have one with
    a letter in it, which says so. ``parent_code`` is empty for a province. A parent is a unit
    that people write: districts of a municipality, and county-level units that answer to the
    province directly (济源市), have the province as parent; towns of a city without districts
    (东莞市) have the city.
    """

    code: str
    name: str
    level: Level
    parent_code: str


@cache
def load_divisions() -> tuple[Division, ...]:
    """All units, parents before children, in the order of their codes within a level.

    Raises ``ValueError`` when the packaged file is not the table that this version expects.
    """
    packed = resources.files("consumer.gazetteer").joinpath("data", DATA_FILE).read_bytes()
    rows = csv.reader(
        io.StringIO(gzip.decompress(packed).decode("utf-8")),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
    if tuple(next(rows)) != COLUMNS:
        raise ValueError(f"{DATA_FILE}: unexpected columns; reinstall the package")
    return tuple(Division(code, name, cast("Level", level), up) for code, name, level, up in rows)
