"""The columns of an archive of evidence, one Parquet file. Data."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

VERSION: Final = b"1"
NONE: Final = -1

_NAMES: Final = pa.dictionary(pa.int32(), pa.string())

SCHEMA: Final = pa.schema(
    [
        ("kind", _NAMES),  # address, record, missing, production, cut
        ("cut", pa.int32()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("index", pa.int32()),
        ("unit", pa.uint64()),
        ("first", pa.bool_()),
        ("slice", _NAMES),
        ("exact", pa.bool_()),
        ("f1", pa.float64()),
        ("candidate_error", pa.bool_()),
        ("reference_error", pa.bool_()),
        ("candidate", pa.string()),
        ("reference", pa.string()),
        ("record", _NAMES),
        ("input_ms", pa.int64()),
        ("device_batch", _NAMES),
        ("candidate_ms", pa.float64()),
        ("reference_ms", pa.float64()),
        ("flats", pa.binary()),
    ],
    metadata={"mgeo-evidence": VERSION},
)
"""Columns of the archive; ``docs/architecture/evidence.md`` says what each holds."""
