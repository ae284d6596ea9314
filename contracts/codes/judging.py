"""Codes of policies, gates, golden sets and decisions."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final[tuple[CodeSpec, ...]] = (
    CodeSpec(
        "bad_policy",
        ("usage",),
        "A policy file, or a `--set` over it, has an unknown name, a wrong value or is no YAML.",
        "Mend the lines that the message names; `mgeo rollout policy FILE` checks it alone.",
    ),
)
