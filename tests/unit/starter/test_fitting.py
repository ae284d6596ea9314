"""The trainer learns, and the same recipe gives the same weights."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

import pytest

torch = pytest.importorskip("torch")

from consumer.parser.tokenizer import AddressTokenizer  # noqa: E402 - only where torch is
from consumer.starter.fitting import fit, new_network, rate_at  # noqa: E402 - the same
from consumer.starter.generator.addresses import take  # noqa: E402 - the same
from consumer.starter.recipes import FIRST, RECIPES, Recipe, Shape  # noqa: E402 - the same
from consumer.starter.tags import LABELS, tag_ids  # noqa: E402 - the same
from consumer.starter.train import recipe_of_another  # noqa: E402 - the same
from consumer.starter.vocabulary import vocabulary  # noqa: E402 - the same

TINY = Recipe(
    version="tiny-test-20260101",
    day=date(2026, 1, 1),
    data_release=1,
    samples=240,
    seed=5,
    learning_rate=3e-3,
    batch=8,
    warm_up=5,
    shape=Shape(layers=1, hidden=32, heads=2, intermediate=64, positions=128),
)


def fitted(recipe: Recipe) -> tuple[list[float], str]:
    tokens = vocabulary()
    tokenizer = AddressTokenizer({token: index for index, token in enumerate(tokens)})
    network = new_network(recipe, len(tokens))
    losses = fit(network, tokenizer, recipe)
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return losses, digest.hexdigest()


def test_loss_falls_and_the_same_seed_gives_the_same_weights() -> None:
    losses, digest = fitted(TINY)
    again, same = fitted(TINY)
    assert len(losses) == TINY.steps
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert (losses, digest) == (again, same)
    assert fitted(replace(TINY, seed=6))[1] != digest


def test_learning_rate_rises_stays_and_falls_to_nothing() -> None:
    rates = [rate_at(step, FIRST) for step in range(FIRST.steps)]
    top = rates.index(1.0)
    assert top == FIRST.warm_up - 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    falling = rates[int(FIRST.steps * FIRST.flat) :]
    assert falling == sorted(falling, reverse=True)
    assert 0 < rates[-1] < 0.01


def test_the_second_release_is_trained_on_from_the_first_a_month_later() -> None:
    first, second = RECIPES
    assert first.base is None
    assert second.base == first.version
    assert second.day.month == first.day.month + 1


def test_another_release_is_trained_on_from_one_that_is_there() -> None:
    another = recipe_of_another(
        "mgeo-starter-ours-20261123", FIRST, samples=320, learning_rate=3e-4
    )
    assert (another.base, another.day, another.steps) == (FIRST.version, date(2026, 11, 23), 5)
    assert another.seed != FIRST.seed
    assert another.data_release == RECIPES[-1].data_release, "a month later"


@pytest.mark.parametrize("version", [FIRST.version, "ours", "mgeo-starter-ours-20261340"])
def test_another_release_has_a_name_and_a_day_of_its_own(version: str) -> None:
    with pytest.raises(ValueError, match=r"names no new version|does not match format|unconverted"):
        recipe_of_another(version, FIRST, samples=320, learning_rate=3e-4)


def test_tags_spell_the_parts_they_were_made_from() -> None:
    tokens = vocabulary()
    tokenizer = AddressTokenizer({token: index for index, token in enumerate(tokens)})
    made = take(500, 23, "train")
    for address, (_, offsets) in zip(made, tokenizer.encode([a.text for a in made]), strict=True):
        found, start = [], 0
        for tag, (left, right) in zip(tag_ids(address.parts, offsets), offsets, strict=True):
            mark, _, kind = LABELS[tag].partition("-")
            if mark in "BS":
                start = left
            if mark in "ES":
                found.append((kind, start, right))
        assert found == [tuple(part) for part in address.parts]


def test_vocabulary_has_no_token_twice_and_its_order_is_fixed() -> None:
    tokens = vocabulary()
    assert len(tokens) == len(set(tokens)) == len(vocabulary())
    assert tokens == vocabulary()
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
