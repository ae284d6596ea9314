"""Golden sets for tests: from the project's own generator, and results that differ from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from consumer.starter.generator.addresses import take
from contracts.events import AddressResult, Component
from rollout.evidence.units import unit_text


def generated(count: int, seed: int = 5) -> list[dict[str, Any]]:
    """So many distinct labelled addresses as rows of a file."""
    rows: dict[str, dict[str, Any]] = {}
    for made in take(2 * count, seed, "held_out"):
        row = {
            "text": made.text,
            "components": [
                {"type": part.type, "start": part.start, "end": part.end} for part in made.parts
            ],
        }
        rows.setdefault(unit_text(made.text), row)
    rows.pop("", None)
    return list(rows.values())[:count]


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The rows as a file."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def said(row: dict[str, Any], *, without: int = 0, address: Any = None) -> AddressResult:
    """What a model would say that finds all labelled spans but the first few."""
    spans = row.get("components", [])[without:]
    return AddressResult(
        id="#0",
        text=row["text"],
        status="ok",
        components=tuple(
            Component(
                type=one["type"],
                text=row["text"][one["start"] : one["end"]],
                start=one["start"],
                end=one["end"],
                confidence=0.9,
            )
            for one in spans
        ),
        address=address or {},
    )
