"""Finding personal data in an address: phones, identity cards, e-mail addresses, names. Pure.

It says where they stand, so that examples can be masked; it never keeps what it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from rollout.insights import words
from rollout.insights.view import View


class Personal(NamedTuple):
    """One piece: what it is, and its half-open code points."""

    kind: str
    start: int
    end: int


_ID_CARD: Final = re.compile(
    r"(?<![0-9])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx]"
    r"(?![0-9A-Za-z])",
    re.ASCII,
)
_MOBILE: Final = re.compile(
    r"(?<![0-9])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![0-9])", re.ASCII
)
_LANDLINE: Final = re.compile(
    r"(?<![0-9-])(?:\(0\d{2,3}\)|（0\d{2,3}）|0\d{2,3})[- —]?[1-9]\d{6,7}(?![0-9])", re.ASCII
)
_LABELLED_PHONE: Final = re.compile(
    rf"(?:{'|'.join(words.PHONE_LABELS)})[：: ]{{0,2}}(\d{{7,8}})(?![0-9])",
    re.ASCII | re.IGNORECASE,
)
# Bounded runs: a text of a thousand letters must not take a million steps.
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}[@＠](?:[A-Za-z0-9-]{1,63}[.．]){1,5}[A-Za-z]{2,24}", re.ASCII
)
_HAN: Final = "一-鿿"
_NAME: Final = rf"(?:{'|'.join(words.DOUBLE_SURNAMES)}|[{''.join(sorted(words.SURNAMES))}])"
_TITLED: Final = re.compile(rf"{_NAME}[{_HAN}]{{0,2}}(?:{'|'.join(words.HONORIFICS)})")
_RECEIVER: Final = re.compile(rf"{_NAME}[{_HAN}]{{1,2}}[（(]?(?:亲收|签收|收)[)）]?(?![{_HAN}])")
_LABELLED_NAME: Final = re.compile(
    rf"(?:{'|'.join(words.NAME_LABELS)}|收)[：: ]{{1,2}}({_NAME}[{_HAN}]{{1,2}})(?![{_HAN}])"
)
# 周六送 begins like a name; numbers and what is done are in none.
_BARE_NAME: Final = re.compile(
    rf"{_NAME}(?:(?![二三四五六七八九十号楼栋层室送收取等到])[{_HAN}]){{1,2}}"
)
_NOTE: Final = re.compile("|".join(words.NOTES))
_BESIDE: Final = re.compile(r"[\s,，:：()（）+]{0,2}")
_TOKENS: Final = re.compile(rf"[{_HAN}]+")


def personal_data(view: View) -> tuple[Personal, ...]:
    """Every piece of personal data, in reading order, none overlapping another."""
    found: list[Personal] = []
    for one in _candidates(view):
        if _apart(one, found):
            found.append(one)
    for one in _bare_names(view, found):
        if _apart(one, found):
            found.append(one)
    return tuple(sorted(found, key=lambda one: one.start))


def _apart(one: Personal, found: list[Personal]) -> bool:
    return all(one.end <= other.start or one.start >= other.end for other in found)


def _candidates(view: View) -> Iterator[Personal]:
    text = view.folded
    for kind, pattern in (
        ("email", _EMAIL),
        ("id_card", _ID_CARD),
        ("phone", _MOBILE),
        ("phone", _LANDLINE),
    ):
        for match in pattern.finditer(text):
            yield Personal(kind, match.start(), match.end())
    for match in _LABELLED_PHONE.finditer(text):
        yield Personal("phone", match.start(1), match.end(1))
    for match in _LABELLED_NAME.finditer(text):
        yield Personal("name", match.start(1), match.end(1))
    for match in _TITLED.finditer(text):
        # 鲁迅先生故居 is a place: the component goes on after the title.
        if not view.inside(match.end()):
            yield Personal("name", match.start(), match.end())
    for match in _RECEIVER.finditer(text):
        receives_nothing = text[: match.end()].rstrip("）)").endswith(words.NO_RECEIVER)
        if not receives_nothing and not view.inside(match.end()):
            yield Personal("name", match.start(), match.end())


def _bare_names(view: View, found: list[Personal]) -> Iterator[Personal]:
    """A name alone: before or behind the whole address, or beside a phone or a card."""
    text = view.folded
    for start, end in view.gaps():
        for token in _TOKENS.finditer(text, start, end):
            if not _BARE_NAME.fullmatch(token.group()) or _NOTE.search(token.group()):
                continue
            beside = any(
                _BESIDE.fullmatch(text, min(token.end(), one.end), max(token.start(), one.start))
                for one in found
            )
            if beside or start == 0 or end == len(text):
                yield Personal("name", token.start(), token.end())
