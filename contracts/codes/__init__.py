"""Every error code: what it means, what it leads to and what to do. Data, for docs and tests.

A code is part of the public interface: once released it keeps its name and its meaning.
"""

from __future__ import annotations

from typing import Final

from contracts.codes import (
    access,
    gateway,
    inputs,
    judging,
    kubernetes,
    local,
    models,
    publishing,
    reporting,
    rollouts,
    shadowing,
    stream,
)
from contracts.codes.spec import CONSEQUENCES, CodeSpec, Consequence

__all__ = ["CONSEQUENCES", "GROUPS", "CodeSpec", "Consequence", "all_codes"]

GROUPS: Final = (
    ("Input records and addresses", inputs.CODES),
    ("Workers and the control topic", stream.CODES),
    ("Models", models.CODES),
    ("Publishing and reading results", publishing.CODES),
    ("Being let into Kafka", access.CODES),
    ("The local stack", local.CODES),
    ("Rollouts and the controller", rollouts.CODES),
    ("Policies, gates and golden sets", judging.CODES),
    ("Shadow workers and candidates", shadowing.CODES),
    ("Reports and verification", reporting.CODES),
    ("The HTTP gateway and its client", gateway.CODES),
    ("Kubernetes", kubernetes.CODES),
)
"""Heading and codes, in the order of the reference page."""


def all_codes() -> dict[str, CodeSpec]:
    """Every code by its name."""
    return {spec.code: spec for _, codes in GROUPS for spec in codes}
