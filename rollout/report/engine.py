"""Writing pages: the template engine, its filters and the style sheet that all pages share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rollout.judge.figures import percent
from rollout.report import wording

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_HERE: Final = Path(__file__).parent / "templates"
_FOLDERS: Final = (_HERE, Path(__file__).parents[1] / "insights" / "templates")


def style(*more: str) -> Markup:
    """The style sheet, and further ones by their file names."""
    from markupsafe import Markup

    paths = (folder / name for name in ("style.css", *more) for folder in _FOLDERS)
    return Markup("".join(path.read_text("utf-8") for path in paths if path.exists()))  # noqa: S704  (our own files)


@cache
def environment() -> Environment:
    """The one template engine of all pages: strict, and everything is escaped."""
    # Only where a report is written: commands that write none start without a template engine.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        visible=wording.visible,
        moment=wording.moment,
        count=wording.count,
        percent=percent,
        points=wording.points,
        times=wording.times,
        milliseconds=wording.milliseconds,
        short=lambda digest: digest[:19],
    )
    return made
