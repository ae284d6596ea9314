"""What of an address is shown as an example: masked, and only the part around the trouble. Pure.

An address is personal data. Masked text has no digit in it, no number written in hanzi where a
house or room has one, and nothing that was found to be a phone, card, e-mail address or name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.events import AddressResult
from rollout.insights.personal import Personal
from rollout.insights.view import Finding

AROUND: Final = 8
"""Characters shown before and after the trouble."""

_LONGEST: Final = 36
"""Characters of the trouble itself that are shown; more are cut from its middle."""

_NUMBERED: Final = frozenset({"roadno", "houseno", "cellno", "floorno", "roomno", "village_group"})
_NUMBER_IN_HANZI: Final = frozenset("〇零一二三四五六七八九十百千两壹贰叁肆伍陆柒捌玖拾甲乙丙丁")


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of text with the trouble in it: ``text[start:end]``."""

    text: str
    start: int
    end: int


def masked(result: AddressResult, finding: Finding, personal: Sequence[Personal]) -> Shown:
    """The part around the trouble, masked; empty where there is no text that may be shown.

    Of an address without a reading nothing is: a name is told from a place by what was read.
    """
    text = result.text or ""
    if result.status != "ok" or not text:
        return Shown("", 0, 0)
    start, end = _bounded(finding, text)
    first, last = max(0, start - AROUND), min(len(text), end + AROUND)
    marks = _marks(result, personal)
    before = ("…" if first else "") + _written(text, first, start, marks)
    inside = _written(text, start, end, marks)
    if end - start > _LONGEST:
        half = _LONGEST // 2
        inside = (
            f"{_written(text, start, start + half, marks)}…{_written(text, end - half, end, marks)}"
        )
    after = _written(text, end, last, marks) + ("…" if last < len(text) else "")
    return Shown(before + inside + after, len(before), len(before) + len(inside))


def whole(result: AddressResult, finding: Finding) -> Shown:
    """The raw text, for people who may see it."""
    text = result.text or ""
    return Shown(text, *_bounded(finding, text))


def _bounded(finding: Finding, text: str) -> tuple[int, int]:
    start = min(max(0, finding.start), len(text))
    return start, min(max(start, finding.end), len(text))


def _marks(result: AddressResult, personal: Sequence[Personal]) -> dict[int, str]:
    """Position to what is written instead; the empty string leaves it out."""
    text = result.text or ""
    marks = {at: "#" for at, character in enumerate(text) if character.isdigit()}
    for one in result.components:
        if one.type in _NUMBERED:
            marks |= {at: "#" for at in range(one.start, one.end) if text[at] in _NUMBER_IN_HANZI}
    for piece in personal:
        marks |= dict.fromkeys(range(piece.start, piece.end), "")
        marks[piece.start] = f"⟨{piece.kind}⟩"
    return marks


def _written(text: str, start: int, end: int, marks: dict[int, str]) -> str:
    return "".join(marks.get(at, text[at]) for at in range(start, end))
