"""The data dictionaries explain everything that a result can hold, in both languages alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.components import COMPONENT_TYPES
from producer.tables import NO_RESULT, RESULT_COLUMNS

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ["data-dictionary.md", "data-dictionary.zh-CN.md"]
ROW = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)


def rows(page: str) -> dict[str, list[str]]:
    text = (DOCS / page).read_text("utf-8")
    return {name: rest.split(" | ") for name, rest in ROW.findall(text)}


@pytest.mark.parametrize("page", PAGES)
def test_every_component_is_explained_in_order_with_an_example_that_holds_it(page: str) -> None:
    found = rows(page)
    assert tuple(found)[: len(COMPONENT_TYPES)] == COMPONENT_TYPES
    for kind in COMPONENT_TYPES:
        meaning, example, address = found[kind]
        assert meaning
        assert example in address


@pytest.mark.parametrize("page", PAGES)
def test_every_result_column_is_explained(page: str) -> None:
    assert set(RESULT_COLUMNS) <= set(rows(page))


def test_both_languages_explain_the_same_with_the_same_examples() -> None:
    english, chinese = (rows(page) for page in PAGES)
    assert list(english) == list(chinese)
    for kind in COMPONENT_TYPES:
        assert english[kind][1:] == chinese[kind][1:]
    assert NO_RESULT in english
