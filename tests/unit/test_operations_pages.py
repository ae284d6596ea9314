"""The pages for operators say the same in both languages, and name no setting that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "operations").glob("*.md"))
CHINESE = [page for page in PAGES if page.name.endswith(".zh-CN.md")]
BUILD_ARGUMENTS = {"MGEO_MODEL"}


def variables(page: Path) -> set[str]:
    return set(re.findall(r"\bMGEO_[A-Z0-9_]+\b", page.read_text("utf-8")))


def commands(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def headings(page: Path) -> list[str]:
    return re.findall(r"^(#+) ", page.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_both_languages_show_the_same_commands_below_the_same_headings(page: Path) -> None:
    english = page.with_name(page.name.replace(".zh-CN", ""))
    assert commands(page) == commands(english)
    assert headings(page) == headings(english)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_that_a_page_names_is_a_setting(page: Path) -> None:
    assert variables(page) <= variables(DOCS / "reference/settings.md") | BUILD_ARGUMENTS
