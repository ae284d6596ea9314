"""Writing the page of an insights report: whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.insights.data import InsightsReport


def write_html(report: InsightsReport, path: Path) -> None:
    """Write it.

    Raises:
        UsageError: ``cannot_write``.
    """
    from producer.tables.atomic import appearing
    from rollout.insights.page import write_insights_page

    with appearing(path) as partial:
        partial.write_text(write_insights_page(report), encoding="utf-8")
