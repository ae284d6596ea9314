"""Which results are looked at: options that `insights` and its export share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.durations import moment

if TYPE_CHECKING:
    from deploy.insights import Range
    from rollout.insights.detect import Thresholds

SinceOption = Annotated[
    str | None, typer.Option(help="Written since then: 2h, or 2026-01-31T08:00:00+08:00.")
]
UntilOption = Annotated[str | None, typer.Option(help="Written before then; as --since.")]
FileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Results that mgeo results --out FILE.jsonl wrote, instead of Kafka; may be repeated.",
    ),
]
SourceOption = Annotated[str | None, typer.Option(help="Only results of this publisher.")]
SeedOption = Annotated[int, typer.Option(help="Which examples are picked; the same one, the same.")]
LowOption = Annotated[
    float,
    typer.Option(
        min=0.0, max=1.0, help="Chance that all components are right, below which it is low."
    ),
]
LongOption = Annotated[
    int, typer.Option(min=1, help="Characters beyond which an address is over-long.")
]
RemainderOption = Annotated[
    int, typer.Option(min=1, help="Letters in a row, outside all components, that are a remainder.")
]


def asked_range(
    label: str, since: str | None, until: str | None, files: list[Path] | None, prefix: str = ""
) -> Range:
    """The range that was asked for.

    Raises:
        typer.BadParameter: a file was named beside a time, or the range is empty.
    """
    from deploy.insights import Range

    if files and (since is not None or until is not None):
        raise typer.BadParameter(
            f"--{prefix}file holds no times: --{prefix}since and --{prefix}until go with Kafka"
        )
    now = datetime.now(UTC)
    begin = None if since is None else moment(since, now=now)
    end = None if until is None else moment(until, now=now)
    if begin is not None and end is not None and begin >= end:
        raise typer.BadParameter(f"--{prefix}since must lie before --{prefix}until")
    return Range(label, begin, end, tuple(files or ()))


def thresholds(low_confidence: float, long_chars: int, remainder_chars: int) -> Thresholds:
    """Where trouble begins, as it was asked for."""
    from rollout.insights.detect import Thresholds

    return Thresholds(low_confidence, long_chars, remainder_chars)
