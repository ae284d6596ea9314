"""The fifty labelled addresses are fixed: they judge the starter models and are never fitted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from contracts.components import COMPONENT_TYPES

KNOWN = Path(__file__).parents[2] / "consumer/starter/known_addresses.jsonl"
DIGEST = "8acd15b762a9160844e7f10fc5da607ed9ae9633f4e0d50db407599ac8063f4e"


def test_known_addresses_are_what_was_committed_before_the_trainer() -> None:
    assert hashlib.sha256(KNOWN.read_bytes()).hexdigest() == DIGEST


def test_every_label_spells_the_text_it_names() -> None:
    rows = [json.loads(line) for line in KNOWN.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 50
    for row in rows:
        end = 0
        for component in row["components"]:
            assert component["start"] >= end
            end = component["end"]
            assert row["text"][component["start"] : end] == component["text"]
            assert component["type"] in COMPONENT_TYPES
