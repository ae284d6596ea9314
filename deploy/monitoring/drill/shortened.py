"""The same rules with every duration shortened, so that minutes need not be hours. Pure.

Ranges, offsets and ``for`` are durations, and so is the age below which a process counts as young:
that one stands in a comparison. Thresholds of anything else stay as they are.
"""

from __future__ import annotations

import re
from typing import Any, Final

LEAST_RANGE_S: Final = 8
"""No range gets shorter: the product's are four scrapes long at least, and a drill scrapes every
two seconds."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_IN_EXPRESSIONS: Final = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])")
_YOUNGER_THAN: Final = re.compile(r"(?<=time\(\) - process_start_time_seconds < )(\d+)")


def shorter(duration: str, times: int) -> str:
    """A duration as Prometheus writes it, divided; at least one second."""
    return f"{max(1, int(duration[:-1]) * _SECONDS[duration[-1]] // times)}s"


def shorter_expression(expression: str, times: int) -> str:
    """Ranges, offsets and the age of young processes divided; thresholds stay as they are."""

    def range_s(found: re.Match[str]) -> str:
        return f"{max(LEAST_RANGE_S, int(shorter(found[0], times)[:-1]))}s"

    divided = _IN_EXPRESSIONS.sub(range_s, expression)
    return _YOUNGER_THAN.sub(lambda found: str(max(1, int(found[0]) // times)), divided)


def shorter_rules(document: dict[str, Any], times: int, *, interval: str) -> dict[str, Any]:
    """A rules document with ranges, offsets and ``for`` divided.

    Args:
        document: as ``rules_document`` makes it.
        times: by what.
        interval: between evaluations.
    """
    groups = []
    for group in document["groups"]:
        rules = []
        for rule in group["rules"]:
            changed = {**rule, "expr": shorter_expression(rule["expr"], times)}
            if "for" in rule:
                changed["for"] = shorter(rule["for"], times)
            rules.append(changed)
        groups.append({**group, "interval": interval, "rules": rules})
    return {"groups": groups}
