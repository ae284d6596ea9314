"""Finding text of other scripts, and characters that are not what they look like. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from contracts.lookalikes import FOLDING
from rollout.insights.classes import FOREIGN_TEXT, LOOKALIKE_CHARACTERS
from rollout.insights.personal import Personal
from rollout.insights.view import Finding, View

FOREIGN_LETTERS: Final = 10
"""Latin letters, in words of three and more of one passage, that make a text foreign."""

_OTHERS_WORD: Final = 4
_OTHER_LETTERS: Final = 2
"""One の, or one Cyrillic А for a Latin one, is a slip and no foreign text."""

_WORD: Final = re.compile(r"[A-Za-zÀ-ɏ]{3,}")
_PASSAGE: Final = re.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ0-9 ,.'’&()/#-]*")
_LATIN: Final = re.compile(r"[A-Za-zÀ-ɏ]")
_HAN: Final = re.compile(r"[\u2e80-\u2fdf\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SCRIPTS: Final = (
    ("kana", re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc-\u30fe\uff66-\uff9d]")),
    ("hangul", re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")),
    ("cyrillic", re.compile(r"[\u0400-\u04ff]")),
    ("other", re.compile(r"[\u0370-\u03ff\u0590-\u10ff\u1200-\u1cff\u1f00-\u1fff]")),
)
_FULL_WIDTH: Final = range(0xFF00, 0xFF5F)
_RADICALS: Final = range(0x2E80, 0x2FE0)
_UNUSUAL: Final = re.compile(r"[^\x00-\x7f\u4e00-\u9fff]")
_LIKE_LATIN: Final = frozenset("АВЕКМНОРСТУХавекмнорстухІіЅѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο")
_LETTER_FOR_DIGIT: Final = re.compile(r"(?<=[0-9])[OoIl](?=[0-9])")
# Variation selectors and joiners belong to emoji; alone they are as invisible as the rest.
_INVISIBLE: Final = re.compile(
    r"[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)


def foreign_text(view: View, personal: tuple[Personal, ...]) -> Iterator[Finding]:
    """At most one finding for each script; e-mail addresses are no foreign text."""
    text = view.folded
    for one in personal:
        if one.kind == "email":
            text = text[: one.start] + " " * (one.end - one.start) + text[one.end :]
    latin = len(_LATIN.findall(text))
    mostly = latin >= _OTHERS_WORD and latin > len(_HAN.findall(text))
    for passage in _PASSAGE.finditer(text) if latin >= _OTHERS_WORD else ():
        letters = sum(len(word) for word in _WORD.findall(passage.group()))
        if letters >= FOREIGN_LETTERS or (mostly and letters):
            yield Finding(FOREIGN_TEXT, "latin", passage.start(), passage.end())
            break
    if text.isascii():
        return
    for name, pattern in _SCRIPTS:
        found = list(pattern.finditer(text))
        if len(found) >= _OTHER_LETTERS:
            yield Finding(FOREIGN_TEXT, name, found[0].start(), found[-1].end())


def lookalikes(view: View) -> Iterator[Finding]:
    """At most one finding for each kind: the first character of it."""
    kinds: dict[str, int] = {}
    text = view.text
    match = _LETTER_FOR_DIGIT.search(text)
    if match is not None:
        kinds["homoglyph"] = match.start()
    if not text.isascii():
        for found in _UNUSUAL.finditer(text):
            kind = _kind(found.group(), text, found.start())
            if kind:
                kinds.setdefault(kind, found.start())
    for kind, at in kinds.items():
        yield Finding(LOOKALIKE_CHARACTERS, kind, at, at + 1)


def _kind(character: str, text: str, at: int) -> str:
    code = ord(character)
    if code in FOLDING:
        # Full-width letters, digits and spaces are how many people type.
        if code in _FULL_WIDTH or code == 0x3000:
            return ""
        return "radical" if code in _RADICALS else "compatibility"
    if character in _LIKE_LATIN:
        beside = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
        in_a_word = any(_same_alphabet(character, one) for one in beside)
        return "" if in_a_word else "homoglyph"
    return "invisible" if _INVISIBLE.match(character) else ""


def _same_alphabet(one: str, other: str) -> bool:
    return (
        other.isalpha()
        and unicodedata.name(one, "").split(" ")[0] == unicodedata.name(other, "").split(" ")[0]
    )
