"""The temperature by which a model's scores are divided before they become probabilities."""

from __future__ import annotations

import math
from pathlib import Path

from consumer.parser.labels import read_json_object
from contracts.errors import UsageError


def read_temperature(directory: Path) -> float:
    """``temperature`` of ``calibration.json`` in the model directory; 1.0 without that file.

    Raises:
        UsageError: ``bad_calibration`` when it is not a positive finite number.
    """
    content = read_json_object(directory / "calibration.json")
    if content is None:
        return 1.0
    temperature = content.get("temperature")
    if (
        not isinstance(temperature, int | float)
        or isinstance(temperature, bool)
        or not math.isfinite(temperature)
        or temperature <= 0
    ):
        raise UsageError(
            "calibration.json: temperature must be a positive number", code="bad_calibration"
        )
    return float(temperature)
