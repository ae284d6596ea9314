"""The HTML page: whole, self-contained, and harmless whatever the addresses say."""

from __future__ import annotations

import re
import unicodedata

import pytest

from rollout.report.data import ReportData
from rollout.report.example import EXAMPLES, aborted, comparison, hostile, promoted, running
from rollout.report.figures import latency_figures
from rollout.report.page import write_page
from tests.unit.report.pages import read

PAGES = {name: make() for name, make in EXAMPLES.items()}

ELEMENTS = frozenset(
    {"html", "head", "meta", "title", "style", "body", "main", "header", "section", "article"}
    | {"figure", "figcaption", "p", "h1", "h2", "h3", "h4", "dl", "dt", "dd", "div", "span"}
    | {"strong", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}
    | {"svg", "desc", "line", "text", "path", "circle"}
)
"""Everything that a page of ours is made of; a script, a link or an image is not among them."""


@pytest.fixture(params=PAGES, ids=PAGES)
def data(request: pytest.FixtureRequest) -> ReportData:
    return PAGES[request.param]


def test_every_element_is_closed_and_known(data: ReportData) -> None:
    page = read(write_page(data))

    assert page.faults == []
    assert page.tags <= ELEMENTS


def test_a_page_loads_nothing(data: ReportData) -> None:
    html = write_page(data)
    page = read(html)

    loading = {"src", "href", "srcset", "data", "action", "xlink:href", "poster", "background"}
    assert [one for one in page.attributes if one[1] in loading] == []
    style = html[html.index("<style>") : html.index("</style>")]
    assert re.search(r"@import|url\(|https?:|//[a-z]", style) is None
    assert "default-src 'none'" in html, "and the browser is told to load nothing"


def test_no_address_becomes_markup_or_script() -> None:
    html = write_page(hostile())
    page = read(html)

    assert [one for one in page.attributes if one[1].startswith("on")] == []
    assert "<script" not in html.lower()
    assert "<script>alert(1)</script>" in page.text, "it is shown as what it is: text"
    assert "{{ 7 * 7 }}" in page.text
    assert "<b>road</b>" in page.text


def test_nothing_invisible_or_reordering_reaches_the_page() -> None:
    html = write_page(hostile())

    hidden = {c for c in html if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cn"}}
    assert hidden <= {"\n"}
    assert "⟨U+202E⟩" in html
    assert "⟨U+200B⟩" in html


def test_a_long_address_is_shown_shortened_and_says_so() -> None:
    page = read(write_page(hostile()))

    assert "浦东新区张江高科技园区" * 50 not in page.text
    assert re.search(r"… \d+ more …", page.text)


def test_the_verdict_comes_first_then_why() -> None:
    text = read(write_page(aborted())).text

    order = ["Aborted", "proven to lie below", "Why", "How the evidence grew", "worst disagr"]
    places = [text.index(one, text.index("Rollout report")) for one in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("promoted", "Promoted"),
        ("aborted", "Aborted"),
        ("running", "Shadowing"),
        ("untouched", "no data"),
        ("comparison", "Not worse"),
    ],
)
def test_the_headline_says_how_it_stands(name: str, says: str) -> None:
    html = write_page(PAGES[name])

    headline = html[html.index("<h1>") : html.index("</h1>")]
    assert says in headline


def test_text_stays_text_in_plots() -> None:
    page = read(write_page(aborted()))

    assert "decided at" in page.drawn
    assert "addresses" in page.drawn
    assert "陕西省" in page.text


def test_plots_take_their_colours_from_the_page() -> None:
    page = read(write_page(aborted()))

    drawn = [(tag, name) for tag, name, _ in page.attributes if tag in {"path", "line", "text"}]
    assert drawn
    assert {name for _, name in drawn}.isdisjoint({"fill", "stroke", "style", "font-family"})


def test_both_readings_stand_side_by_side_with_what_differs_marked() -> None:
    html = write_page(promoted())

    cards = html.split('<article class="pair">')[1:]
    card = next(one for one in cards if "969号3幢" in one)
    marked = re.findall(r'class="span differs".*?class="text">(.*?)</span>', card)
    assert marked == ["969号", "3幢", "5层", "501室", "969号3幢", "5层501室"]
    assert card.index("Reference") < card.index("Candidate")


def test_a_comparison_shows_the_labels_beside_both_readings() -> None:
    html = write_page(comparison())

    card = html.split('<article class="pair">')[1]
    assert [card.index(one) for one in ("Expected", "Reference", "Candidate")] == sorted(
        card.index(one) for one in ("Expected", "Reference", "Candidate")
    )
    assert "Served" not in html
    assert "sampled records" not in html


def test_an_incomplete_rollout_says_what_is_missing() -> None:
    text = read(write_page(PAGES["untouched"])).text

    assert "No gate was judged: no cut of the evidence was taken." in text
    assert "The topic of results could not be read" in text


def test_the_same_data_gives_the_same_bytes() -> None:
    assert write_page(aborted()) == write_page(aborted())
    assert write_page(aborted()) != write_page(running())


def test_few_batches_claim_no_high_percentile() -> None:
    few = latency_figures([(8.0 + n % 7, 9.0) for n in range(36)], 36)
    text = read(write_page(promoted().model_copy(update={"latency": few}))).text

    assert "P90" in text
    assert "P99.9" not in text
    assert "99.99" not in text
