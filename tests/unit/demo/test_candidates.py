"""Candidates with a known flaw have that flaw and no other."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from consumer.address_parser import AddressParser
from consumer.parser.model import load_model
from consumer.settings import ParserSettings
from consumer.starter.generator.addresses import addresses
from consumer.starter.train import RELEASES
from deploy.demo.candidates import (
    copy_of,
    with_added_layers,
    with_random_answers,
    with_tags_exchanged,
)

BASE = RELEASES / "mgeo-starter-v2-20261015"
TEXTS = list(dict.fromkeys(made.text for made in islice(addresses(5, "held_out"), 120)))


def flat(directory: Path) -> list[dict[str, str]]:
    return [result.address for result in AddressParser.from_directory(directory).parse(TEXTS)]


def agreement(one: list[dict[str, str]], other: list[dict[str, str]]) -> float:
    return float(np.mean([a == b for a, b in zip(one, other, strict=True)]))


@pytest.fixture(scope="module")
def good() -> list[dict[str, str]]:
    return flat(BASE)


def test_a_copy_answers_the_same(tmp_path: Path, good: list[dict[str, str]]) -> None:
    assert flat(copy_of(BASE, tmp_path)) == good


def test_added_layers_leave_the_answers_as_they_are(
    tmp_path: Path, good: list[dict[str, str]]
) -> None:
    once = with_added_layers(BASE, tmp_path / "once", 2)
    again = with_added_layers(once, tmp_path / "again", 1)

    assert flat(again) == good


def test_added_layers_take_time(tmp_path: Path) -> None:
    """Six layers where there were three, in processor time: other processes do not count."""
    slow = with_added_layers(BASE, tmp_path, 3)
    seconds = {}
    for directory in (BASE, slow):
        model = load_model(
            directory,
            version="mgeo-a-b-20260101",
            digest="sha256:" + "0" * 64,
            settings=ParserSettings(),
        )
        rows = np.full((64, 32), 200, dtype=np.int64)
        lengths = np.full(64, 32, dtype=np.int64)
        times = []
        for _ in range(12):
            begun = time.process_time()
            model.encoder.encode(rows, lengths)
            times.append(time.process_time() - begun)
        seconds[directory] = float(np.median(times))

    assert seconds[slow] > 1.3 * seconds[BASE]


def test_exchanged_tags_are_fluent_and_wrong(tmp_path: Path, good: list[dict[str, str]]) -> None:
    damaged = flat(with_tags_exchanged(BASE, tmp_path, "roadno", "houseno"))

    assert agreement(good, damaged) < 0.7
    for before, after in zip(good, damaged, strict=True):
        if "roadno" not in before and "houseno" not in before:
            assert before == after


def test_tags_that_do_not_match_cannot_be_exchanged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tags in common"):
        with_tags_exchanged(BASE, tmp_path, "roadno", "nothing")


def test_random_answers_are_garbage(tmp_path: Path, good: list[dict[str, str]]) -> None:
    assert agreement(good, flat(with_random_answers(BASE, tmp_path, seed=1))) < 0.1
