"""The temperature by which a model's scores are divided before they become probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from consumer.parser.labels import read_json_object
from contracts.errors import UsageError

_LEAST: Final = 1e-3
_MOST: Final = 1e3
"""Fitted temperatures lie near 1; beyond these a score is lost in rounding, or no number."""


def read_temperature(directory: Path) -> float:
    """``temperature`` of ``calibration.json`` in the model directory; 1.0 without that file.

    Raises:
        UsageError: ``bad_calibration`` when it is not a number from 0.001 to 1,000.
    """
    content = read_json_object(directory / "calibration.json")
    if content is None:
        return 1.0
    temperature = _as_float(content.get("temperature"))
    if temperature is None or not _LEAST <= temperature <= _MOST:
        raise UsageError(
            f"calibration.json: temperature must be a number from {_LEAST:g} to {_MOST:,.0f}",
            code="bad_calibration",
        )
    return temperature


def _as_float(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
