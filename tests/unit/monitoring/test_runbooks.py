"""What the runbooks name exists: settings, error codes, commands, panels."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from contracts.codes import all_codes
from deploy.monitoring.panels import DASHBOARDS
from deploy.reference.settings import settings_page
from rollout.stages import Cause
from tests.unit.test_docs_commands import parse

PAGES = sorted((Path(__file__).parents[3] / "docs" / "runbooks").glob("Mgeo*.md"))
TITLES = {panel.title for dashboard in DASHBOARDS for row in dashboard.rows for panel in row.panels}
# Written in italics for another reason than being a panel.
OTHERS = {
    "Status → Rules",
    "Status → Runtime & Build Information",
    "Targets",
    "and",
    "change",
    "the requests topic was made anew",
    "an unusable control record was written over",
    "evidence",
    "lag",
}
# Values of labels and fields that look like codes.
KNOWN = {"authority", "broker", "read_committed", "crowded_out", "failed", "foreign", "unreadable"}


@pytest.fixture(scope="module")
def variables() -> set[str]:
    """Every setting that there is."""
    return set(re.findall(r"`(MGEO_\w+)`", settings_page()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_names_what_exists(page: Path, variables: set[str]) -> None:
    text = page.read_text("utf-8")
    assert set(re.findall(r"`(MGEO_\w+)`", text)) <= variables
    for words in re.findall(r"`mgeo ([^`]+)`", text):
        parse(shlex.split(words))
    italics = re.findall(r"(?<![*\w])\*([^*\n]+)\*(?!\*)", text)
    unknown = {one for one in italics if one not in TITLES | OTHERS}
    assert not unknown
    codes = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", text))
    codes = {one for one in codes if not one.startswith("mgeo_")}
    assert codes <= set(all_codes()) | KNOWN | set(Cause), codes
