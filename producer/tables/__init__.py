"""Writing results as tables: the input's own columns, in their order, and then ours."""

from producer.tables.layout import (
    NO_RESULT,
    RESULT_COLUMNS,
    added_columns,
    error_cells,
    result_cells,
)
from producer.tables.output import OutputTable, TableFormat, table_format

__all__ = [
    "NO_RESULT",
    "RESULT_COLUMNS",
    "OutputTable",
    "TableFormat",
    "added_columns",
    "error_cells",
    "result_cells",
    "table_format",
]
