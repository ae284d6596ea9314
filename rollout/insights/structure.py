"""Trouble in how an address is built: what is missing, contradicts, repeats, is left over. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from contracts.components import ADMINISTRATIVE_TYPES
from contracts.events import Component
from rollout.evidence.provinces import PROVINCES
from rollout.insights import classes, words
from rollout.insights.personal import Personal
from rollout.insights.view import REGION_TYPES, Finding, View

_CONNECTING: Final = re.compile(
    "|".join(sorted(words.CONNECTING, key=lambda word: (-len(word), word)))
)
_WRITTEN: Final = re.compile(r"[^\W_]")
_SUFFIX: Final = re.compile(
    r"(?:维吾尔自治区|壮族自治区|回族自治区|特别行政区|自治区|自治州|自治县|地区|省|市|区|县|州|盟|旗)$"
)
# A short name twice in a row, with what people put between: 浙江省 浙江省, 西湖区,西湖区.
_BETWEEN: Final = r"[\s,，、/|;；·-]{0,2}"
_TWICE: Final = re.compile(rf"([一-鿿]{{2,24}}?){_BETWEEN}\1")
_RATHER_WRONG: Final = 0.5
_PLACES: Final = frozenset({"poi", "subpoi", "assist", "community", "road"})
_NOTE: Final = re.compile("|".join(words.NOTES))
_SMALL_WORD: Final = re.compile(f"[{words.SMALL_WORDS}]")
_PART: Final = re.compile(r"[^\s，,。.;；:：(（\[【)）\]】|/、!！]+")
_SENTENCE: Final = re.compile(r"[一-鿿]{4,}")
_MARKUP: Final = re.compile(
    r"</?[A-Za-z][^<>]{0,40}>|&[a-z]{2,6};|\{\{|\}\}|\$\{|\b(?:null|undefined|NaN|None)\b|\\[nt]",
    re.ASCII,
)
# Order and parcel numbers; no house has so many digits.
_SERIAL: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{8,32}(?![A-Za-z0-9])", re.ASCII)
_SERIAL_DIGITS: Final = 7
_STRONG: Final = rf"(?:[;；|/\n]|{'|'.join(words.ANEW[:2])})"
# Ends where the second region begins: the match is looked for in the text before it.
_ANEW: Final = re.compile(rf"(?:[\s;；|/，,、）)]|{'|'.join(words.ANEW)})[:：]?\s*\Z")
_PROVINCES: Final = sorted({_SUFFIX.sub("", name) for name in PROVINCES})
_SECOND_PROVINCE: Final = re.compile(
    rf"{_STRONG}\s*((?:{'|'.join(_PROVINCES)})(?![路街道大银])[一-鿿]{{2}})"
)
_SECOND: Final = re.compile(
    rf"(?:{_STRONG}\s*|[\s，,、）)](?=[一-鿿]{{2,3}}省[一-鿿]{{1,6}}?[市县区州]|[一-鿿]{{2,4}}市[一-鿿]{{1,4}}[区县镇]))"
    r"([一-鿿]{2,9}?(?:省|市|县|区|旗|自治州|盟))(?=[一-鿿0-9A-Za-z]{2})"
)
_HEAD: Final = 40
"""Characters from the beginning in which a doubled region is looked for."""


def no_province(view: View) -> Iterator[Finding]:
    """Neither named nor inferred."""
    if "prov" not in view.result.address:
        first = view.components[0] if view.components else None
        where = (first.start, first.end) if first is not None else (0, min(8, len(view.text)))
        yield Finding(classes.NO_PROVINCE, "", *where)


def region_conflict(view: View) -> Iterator[Finding]:
    """What the gazetteer has found to contradict."""
    for issue in view.result.issues:
        if issue not in classes.REGION_ISSUES:
            continue
        kind = issue.partition("_not_in_")[0]
        first = next((one for one in view.components if one.type == kind), None)
        where = (first.start, first.end) if first is not None else (0, 0)
        yield Finding(classes.REGION_CONFLICT, issue, *where)


def low_confidence(view: View, below: float) -> Iterator[Finding]:
    """Where the whole is uncertain: one finding for each type more likely wrong than right."""
    confidence = view.result.confidence
    if confidence is None or confidence >= below or not view.components:
        return
    least: dict[str, Component] = {}
    for one in sorted(view.components, key=lambda one: one.confidence):
        if one.confidence < _RATHER_WRONG or not least:
            least.setdefault(one.type, one)
    for kind, one in least.items():
        yield Finding(classes.LOW_CONFIDENCE, kind, one.start, one.end)


def unparsed_remainder(
    view: View, personal: tuple[Personal, ...], least: int, unsure: bool
) -> Iterator[Finding]:
    """Where one stretch of ``least`` letters or hanzi is left outside, or a note stands anywhere.

    What is left of an address that the model is unsure of, without a sign before it, is that
    uncertainty and nothing more.
    """
    longest = (0, 0, 0)
    for start, end in view.gaps():
        if unsure and start > 0 and _PART.match(view.folded, start):
            continue
        stretch = _without(view.folded, start, end, personal)
        written = len(_WRITTEN.findall(_CONNECTING.sub("", stretch)))
        longest = max(longest, (written, start, end), key=lambda one: one[0])
    if longest[0] >= least:
        yield Finding(classes.UNPARSED_REMAINDER, "outside", longest[1], longest[2])
    yield from _said_to_somebody(view, personal)
    match = _MARKUP.search(view.folded)
    if match is not None:
        yield Finding(classes.UNPARSED_REMAINDER, "markup", match.start(), match.end())
    for match in _SERIAL.finditer(view.folded):
        digits = sum(character.isdigit() for character in match.group())
        if digits >= _SERIAL_DIGITS and not _touches(match, personal):
            yield Finding(classes.UNPARSED_REMAINDER, "number", match.start(), match.end())
            return


def _said_to_somebody(view: View, personal: tuple[Personal, ...]) -> Iterator[Finding]:
    """A note, outside or where the model took it for a place: it takes so what it does not know."""
    text = view.folded
    firm = [one for one in view.components if one.type not in _PLACES]
    for match in _NOTE.finditer(text):
        if not any(one.start < match.end() and match.start() < one.end for one in firm):
            yield Finding(classes.UNPARSED_REMAINDER, "note", match.start(), match.end())
            return
    for part in _PART.finditer(text):
        # After a sign a sentence may begin. It begins with no number or road, and has small words
        # that places lack; or all of it was taken for places, and it ends as none does.
        whole = not view.inside(part.start()) and not view.inside(part.end())
        if part.start() == 0 or not whole or _touches(part, personal):
            continue
        numbered = [one for one in firm if one.start < part.end() and part.start() < one.end]
        if any(one.start <= part.start() for one in numbered):
            continue
        if _SMALL_WORD.search(part.group()) or (not numbered and _ends_oddly(part.group())):
            yield Finding(classes.UNPARSED_REMAINDER, "note", part.start(), part.end())
            return


def _ends_oddly(name: str) -> bool:
    """Whether hanzi that stand for a place end as no place does."""
    return _SENTENCE.fullmatch(name) is not None and name[-1] not in words.PLACE_ENDINGS


def _touches(match: re.Match[str], personal: tuple[Personal, ...]) -> bool:
    return any(one.start < match.end() and match.start() < one.end for one in personal)


def _without(text: str, start: int, end: int, personal: tuple[Personal, ...]) -> str:
    pieces, at = [], start
    for one in personal:
        if one.end > start and one.start < end:
            pieces.append(text[at : max(at, one.start)])
            at = max(at, one.end)
    pieces.append(text[at : max(at, end)])
    return " ".join(pieces)


def duplicated_prefix(view: View) -> Iterator[Finding]:
    """The same region twice before the street: as named by components, or letter by letter.

    A city and its district of the same name (镇江镇江新区, 北京市北京市) are no repetition.
    """
    seen: dict[tuple[str, str], Component] = {}
    places = [one for one in view.components if not _MARKUP.fullmatch(one.text)]
    head = list(takewhile(lambda one: one.type in ADMINISTRATIVE_TYPES, places))
    for one in head:
        known = seen.setdefault((one.type, _stem(one.text)), one)
        if known is not one and _stem(one.text) not in words.DOUBLED_NAMES:
            yield Finding(classes.DUPLICATED_PREFIX, "", known.start, head[-1].end)
            return
    for match in _TWICE.finditer(view.folded, 0, _HEAD):
        if _is_region(match.group(1), view) and not _of_a_place(match, view):
            yield Finding(classes.DUPLICATED_PREFIX, "", match.start(), match.end())
            return


def _stem(name: str) -> str:
    short = _SUFFIX.sub("", name)
    return short if len(short) >= 2 else name


def _is_region(name: str, view: View) -> bool:
    """Whether the doubled text is one whole region with its suffix, or several units."""
    stems = {_stem(view.result.address.get(kind, "")) for kind in ADMINISTRATIVE_TYPES} - {""}
    if sum(stem in name for stem in stems) >= 2:
        return True
    return _stem(name) not in {name, *words.DOUBLED_NAMES}


def _of_a_place(match: re.Match[str], view: View) -> bool:
    """Whether a place's name is doubled, or begins with the region: 都兰县都兰县医院."""
    second = match.end() - len(match.group(1))
    first_end = match.start() + len(match.group(1))
    return any(
        (one.start <= second and one.end > match.end())
        or (one.start < first_end and match.start() < one.end <= first_end)
        for one in view.components
        if one.type not in REGION_TYPES
    )


def several_addresses(view: View) -> Iterator[Finding]:
    """A region that begins anew after a street or building, with something below it.

    Two of its levels are enough; of one alone, such as 六安市, a sign or a word before it.
    """
    begun = below = False
    runs = view.region_runs()
    for place, (region, run) in enumerate(runs):
        if not region:
            # Markup between a region and the same again is no address; a zone is half a region.
            below |= begun and any(
                one.type != "devzone" and not _MARKUP.fullmatch(one.text) for one in run
            )
            continue
        begun = True
        kinds = {one.type for one in run} & set(ADMINISTRATIVE_TYPES)
        anew = len(kinds) >= 2 or (
            bool(kinds & {"prov", "city"})
            and _ANEW.search(view.folded, 0, run[0].start) is not None
        )
        if below and anew and place + 1 < len(runs):
            yield Finding(classes.SEVERAL_ADDRESSES, "", run[0].start, run[-1].end)
            return
    # Models that have never seen two at once take the second region for a place.
    first = next((one for one in view.components if one.type not in REGION_TYPES), None)
    if first is None:
        return
    match = _SECOND.search(view.folded, first.end) or _SECOND_PROVINCE.search(
        view.folded, first.end
    )
    if match is not None:
        yield Finding(classes.SEVERAL_ADDRESSES, "", match.start(1), match.end(1))
