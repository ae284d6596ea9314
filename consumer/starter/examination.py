"""Everything that a release's card reports, measured on held-out addresses and the fifty.

Owns which sets are used: one to fit the temperature, another to judge. Neither is ever fitted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from consumer.parser.tokenizer import AddressTokenizer
from consumer.starter.generator.addresses import take
from consumer.starter.judging import (
    Bin,
    Figures,
    expected_calibration_error,
    figures,
    fit_temperature,
    guesses,
    reliability,
)
from consumer.starter.known import Miss, known_addresses, misses
from consumer.starter.scoring import score

CALIBRATION_SEED: Final = 1
EXAMINATION_SEED: Final = 2
SIZE: Final = 3000


@dataclass(frozen=True, slots=True)
class Examination:
    """What was measured."""

    temperature: float
    figures: dict[str, Figures]
    fully_right: float
    """Share of the held-out addresses that are right in every component."""
    before: list[Bin]
    after: list[Bin]
    error_before: float
    error_after: float
    known: int
    misses: list[Miss]
    addresses_per_second: float
    """Of one core's time, tokenization and decoding included."""


def examine(network: Any, tokenizer: AddressTokenizer, size: int = SIZE) -> Examination:
    """Judge a fitted network."""
    temperature = fit_temperature(
        score(network, tokenizer, take(size, CALIBRATION_SEED, "held_out"))
    )
    made = take(size, EXAMINATION_SEED, "held_out")
    started = time.process_time()
    scored = score(network, tokenizer, made)
    raw = guesses(scored)
    spent = time.process_time() - started
    calibrated = guesses(scored, temperature)
    before, after = reliability(raw), reliability(calibrated)
    known = known_addresses()
    found = [[guess.part for guess in parts] for parts in guesses(score(network, tokenizer, known))]
    right = sum(
        {guess.part for guess in parts} == set(item.address.parts)
        for item, parts in zip(scored, raw, strict=True)
    )
    return Examination(
        temperature=temperature,
        figures=figures(scored, raw),
        fully_right=right / size,
        before=before,
        after=after,
        error_before=expected_calibration_error(before),
        error_after=expected_calibration_error(after),
        known=len(known),
        misses=misses(known, found),
        addresses_per_second=size / spent,
    )
