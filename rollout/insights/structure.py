"""Trouble in how an address is built: what is missing, contradicts, repeats, is left over. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from contracts.components import ADMINISTRATIVE_TYPES
from contracts.events import Component
from rollout.insights import classes, words
from rollout.insights.personal import Personal
from rollout.insights.view import Finding, View

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
    """One finding for each component type: its least certain span."""
    least: dict[str, Component] = {}
    for one in view.components:
        if one.confidence < below:
            known = least.get(one.type)
            if known is None or one.confidence < known.confidence:
                least[one.type] = one
    for kind, one in least.items():
        yield Finding(classes.LOW_CONFIDENCE, kind, one.start, one.end)


def unparsed_remainder(view: View, personal: tuple[Personal, ...], least: int) -> Iterator[Finding]:
    """Where ``least`` letters, digits or hanzi are left outside, all stretches together."""
    left = 0
    longest = (0, 0, 0)
    for start, end in view.gaps():
        stretch = _without(view.folded, start, end, personal)
        written = len(_WRITTEN.findall(_CONNECTING.sub("", stretch)))
        left += written
        if written > longest[0]:
            longest = (written, start, end)
    if left >= least:
        yield Finding(classes.UNPARSED_REMAINDER, "", longest[1], longest[2])


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
    for one in view.components:
        if one.type not in ADMINISTRATIVE_TYPES:
            break
        known = seen.setdefault((one.type, _stem(one.text)), one)
        if known is not one and _stem(one.text) not in words.DOUBLED_NAMES:
            yield Finding(classes.DUPLICATED_PREFIX, "", known.start, one.end)
            return
    for match in _TWICE.finditer(view.folded, 0, _HEAD):
        if _is_region(match.group(1), view) and not _named_by_a_place(match, view):
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


def _named_by_a_place(match: re.Match[str], view: View) -> bool:
    """Whether the second time is the beginning of a place's name: 都兰县都兰县医院."""
    second = match.end() - len(match.group(1))
    return any(
        one.type not in ADMINISTRATIVE_TYPES and one.start <= second and one.end > match.end()
        for one in view.components
    )


def several_addresses(view: View) -> Iterator[Finding]:
    """A region that begins anew after a street or building, with a street or building below it."""
    below = False
    runs = view.region_runs()
    for place, (region, run) in enumerate(runs):
        if not region:
            below = True
            continue
        if not below:
            continue
        kinds = {one.type for one in run} & set(ADMINISTRATIVE_TYPES)
        followed = place + 1 < len(runs)
        if len(kinds) >= 2 and followed:
            yield Finding(classes.SEVERAL_ADDRESSES, "", run[0].start, run[-1].end)
            return
