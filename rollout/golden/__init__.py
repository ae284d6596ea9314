"""The golden set: labelled addresses, looked at once, before any traffic. Pure but for reading."""

from rollout.golden.comparing import GoldenComparison, Reading, compare
from rollout.golden.files import GoldenRow, GoldenSet, parse_golden, read_golden
from rollout.golden.power import Power, Sensitivity, measured, sensitivity

__all__ = [
    "GoldenComparison",
    "GoldenRow",
    "GoldenSet",
    "Power",
    "Reading",
    "Sensitivity",
    "compare",
    "measured",
    "parse_golden",
    "read_golden",
    "sensitivity",
]
