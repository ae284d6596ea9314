"""The page of the classes of trouble, from ``rollout.insights.classes``."""

from __future__ import annotations

from deploy.reference.markdown import table
from rollout.insights.classes import CLASSES
from rollout.insights.detect import DEFAULTS


def insights_page() -> str:
    """Every class with its parts, its meaning and what to do."""
    return (
        "# Classes of trouble\n\n"
        "What `mgeo insights` counts. One address can be of several classes. A code keeps its name "
        "and its meaning. How to read the figures: [guide](../guides/insights.md).\n\n"
        + table(
            ("code", "parts", "what was seen", "what to do"),
            (
                (
                    f"`{one.code}`",
                    ", ".join(f"`{detail}`" for detail in one.details),
                    one.meaning,
                    one.remedy,
                )
                for one in CLASSES
            ),
        )
        + "\nWhere trouble begins, by default: an address's confidence below "
        f"{DEFAULTS.low_confidence} (`--low-confidence`), more than {DEFAULTS.long_chars} "
        f"characters (`--long-chars`), {DEFAULTS.remainder_chars} letters, digits or characters "
        "in a row outside all components (`--remainder-chars`).\n"
    )
