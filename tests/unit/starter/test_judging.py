"""Figures, reliability and temperature are what their formulas say."""

from __future__ import annotations

import numpy as np
import pytest

from consumer.starter.generator.pieces import Labelled, Part
from consumer.starter.judging import (
    Scored,
    expected_calibration_error,
    figures,
    fit_temperature,
    guesses,
    reliability,
)
from consumer.starter.tags import LABEL_ID, LABELS


def scored(truth: str, said: str, logit: float) -> Scored:
    """Two characters that the model calls ``said`` with the given certainty."""
    scores = np.zeros((2, len(LABELS)), dtype=np.float32)
    scores[0, LABEL_ID[f"B-{said}"]] = logit
    scores[1, LABEL_ID[f"E-{said}"]] = logit
    return Scored(Labelled("杭州", (Part(truth, 0, 2),)), scores, ((0, 1), (1, 2)))


def test_figures_count_exact_matches_by_type_and_together() -> None:
    items = [scored("city", "city", 9.0), scored("city", "poi", 9.0), scored("assist", "assist", 9)]
    table = figures(items, guesses(items))
    assert (table["city"].right, table["city"].guessed, table["city"].labelled) == (1, 1, 2)
    assert table["poi"].precision == 0.0
    assert table["city"].f1 == pytest.approx(2 / 3)
    assert table["all"].f1 == pytest.approx(2 / 3)
    assert (table["core"].right, table["core"].guessed, table["core"].labelled) == (1, 2, 2)


def test_an_overconfident_model_gets_a_temperature_above_one_and_better_reliability() -> None:
    items = [scored("city", "city" if n % 10 < 7 else "poi", 9.0) for n in range(200)]
    temperature = fit_temperature(items)
    assert temperature > 1.2
    raw = expected_calibration_error(reliability(guesses(items)))
    mended = expected_calibration_error(reliability(guesses(items, temperature)))
    assert raw > 0.25
    assert mended < 0.08


def test_every_guess_is_in_one_bin() -> None:
    items = [scored("city", "city", value) for value in (0.5, 2.0, 4.0, 30.0)]
    found = guesses(items)
    assert sum(row.count for row in reliability(found)) == sum(map(len, found))
