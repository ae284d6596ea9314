"""Codes of shadow workers and of candidates that cannot be held."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "candidate_crashed",
        ("verdict",),
        "The shadow worker’s process died three times with this record in work; the pair says so "
        "and the record is not run a fourth time.",
        "Run the candidate on that record alone (its origin is in the pair): the shadow worker’s "
        "log and the kernel’s tell what it died of.",
    ),
    CodeSpec(
        "model_load_failed",
        ("refused",),
        "The model raised an error of its own while it was loaded or warmed up.",
        "Read the worker’s log, then mgeo model verify and mgeo parse with that version.",
    ),
    CodeSpec(
        "model_load_timeout",
        ("refused",),
        "The model was not loaded and warm within MGEO_MODEL_LOAD_TIMEOUT_MS; it is taken when it "
        "comes.",
        "Look at the model store’s speed, or raise the setting.",
    ),
)
