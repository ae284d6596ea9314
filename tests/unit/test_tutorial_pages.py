"""Tutorials: both languages have the same commands, the index names every page, and the runner
notices what a page shows and what does not come."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tutorials import ROOT, fences, interrupts, is_service, steps, unseen

FOLDER = ROOT / "docs" / "tutorials"
INDEX, INDEX_ZH = FOLDER / "README.md", FOLDER / "README.zh-CN.md"
PAGES = sorted(page for page in FOLDER.glob("[a-z]*.md") if ".zh-CN." not in page.name)


def chinese(page: Path) -> Path:
    return page.with_name(f"{page.stem}.zh-CN.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_both_languages_have_the_same_commands_and_show_the_same(page: Path) -> None:
    assert fences(page) == fences(chinese(page))
    assert interrupts(page) == interrupts(chinese(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_index_and_the_readme_lead_to_every_page(page: Path) -> None:
    for index, name in ((INDEX, page.name), (INDEX_ZH, chinese(page).name)):
        assert f"]({name})" in index.read_text("utf-8")
    for readme, name in (("README.md", page.name), ("README.zh-CN.md", chinese(page).name)):
        assert f"](docs/tutorials/{name})" in (ROOT / readme).read_text("utf-8")


def test_no_page_stands_in_one_language_alone() -> None:
    assert PAGES
    assert {page.name for page in FOLDER.glob("[a-z]*.zh-CN.md")} == {
        chinese(page).name for page in PAGES
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_ctrl_c_is_pressed_only_where_something_runs(page: Path) -> None:
    running = 0
    stopped: list[int] = []
    for step in steps(page):
        running += is_service(step.block)
        if step.ctrl_c:
            assert step.ctrl_c <= running
            stopped.append(step.ctrl_c)
    assert len(stopped) == len(set(stopped))


OUTPUT = "5 addresses published (run 7f)\n│ no_province │ 12 │\nresults: 4 ok\n"


@pytest.mark.parametrize(
    "shown",
    [
        ["5 addresses published (run …)", "results: 4 ok"],
        ["│ no_province │ … │"],
        ["…", "│  no_province  …", "results:   4 ok"],
        ["to standard error", "results: 4 ok"],
    ],
)
def test_what_a_page_shows_is_found(shown: list[str]) -> None:
    assert unseen(shown, OUTPUT, "to standard error\n") == []


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (["results: 5 ok"], ["results: 5 ok"]),
        (["results: 4"], ["results: 4"]),
        (["results: 4 ok", "5 addresses published …"], ["5 addresses published …"]),
        (["results: 4 ok", "results: 4 ok"], ["results: 4 ok"]),
    ],
)
def test_what_does_not_come_or_comes_too_early_is_missed(
    shown: list[str], missing: list[str]
) -> None:
    assert unseen(shown, OUTPUT, "") == missing


def test_comments_may_be_translated_and_commands_may_not(tmp_path: Path) -> None:
    pages = []
    commands = ("mgeo up  # a broker", "mgeo up  # 一个 broker", "mgeo down")
    for number, command in enumerate(commands):
        page = tmp_path / f"{number}.md"
        page.write_text(f"```sh\n{command}\n```\n", "utf-8")
        pages.append(fences(page))

    assert [text.rstrip() for _, text in pages[0]] == [text.rstrip() for _, text in pages[1]]
    assert pages[0] != pages[2]
    assert not re.search("#", str(pages[0]))
