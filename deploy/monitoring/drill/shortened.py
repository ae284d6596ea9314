"""The same rules with every duration shortened, so that minutes need not be hours. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_IN_EXPRESSIONS: Final = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])")


def shorter(duration: str, times: int) -> str:
    """A duration as Prometheus writes it, divided; at least one second."""
    return f"{max(1, int(duration[:-1]) * _SECONDS[duration[-1]] // times)}s"


def shorter_expression(expression: str, times: int) -> str:
    """Ranges and offsets divided; thresholds stay as they are."""
    return _IN_EXPRESSIONS.sub(lambda found: shorter(found[0], times), expression)


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
