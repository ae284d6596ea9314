"""Reading labelled addresses, one JSON object per line. A wrong label must never be read as right.

A row labels spans (``components``), or says only what is where (``address``). Faults are told by
line and never quote an address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from contracts.components import COMPONENT_TYPES
from contracts.errors import PermanentError
from contracts.strict_json import read_json
from rollout.documents import DocumentError, Problem, Where, decoded, nearest, read_bytes
from rollout.evidence.units import unit_text

BAD_GOLDEN: Final = "bad_golden_set"
MAX_BYTES: Final = 256 * 1024 * 1024
FAILURES: Final = "failures"
"""The stratum of rows exported from failures: chosen because one model was wrong, so that they
say nothing about how often it is. They are shown, and never gate."""

_MAX_ROW_BYTES: Final = 1024 * 1024
_ROW: Final = frozenset({"id", "text", "components", "address", "stratum", "note", "labelled"})
_RESULT: Final = frozenset({"status", "error", "inferred", "adcode", "issues", "confidence"})
"""What a result of ``mgeo parse --output json`` has besides: a mended result is a label."""

Span = tuple[str, int, int]
"""Type, first code point, one past the last."""


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """One labelled address.

    Attributes:
        line: in the file, from 1.
        id: as the file names it, else ``line-<n>``.
        text: the address.
        spans: every component in it; None where only ``flat`` was labelled.
        flat: component type to its text; None where spans were labelled.
        stratum: part of the set that it belongs to; empty for the set itself.
        labelled: False where the components are a model's proposal and no label.
    """

    line: int
    id: str
    text: str
    spans: tuple[Span, ...] | None
    flat: Mapping[str, str] | None
    stratum: str
    labelled: bool = True

    @property
    def gates(self) -> bool:
        """Whether it counts in the gate."""
        return self.stratum != FAILURES

    def types(self) -> frozenset[str]:
        """Component types that are labelled in it."""
        return frozenset(kind for kind, _, _ in self.spans or ()) | frozenset(self.flat or ())

    def named(self, kind: str) -> str:
        """The labelled text of the first component of this type; empty where there is none."""
        if self.flat is not None:
            return self.flat.get(kind, "")
        spans = (span for span in self.spans or () if span[0] == kind)
        first = min(spans, key=lambda span: span[1], default=None)
        return "" if first is None else self.text[first[1] : first[2]]


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A whole file.

    Attributes:
        digest: ``sha256:<hex>`` of its bytes.
        rows: the labelled ones, in the file's order.
        unlabelled: rows that say ``labelled: false``: proposals of a model, which nobody has
            looked at. They are passed over.
    """

    digest: str
    rows: tuple[GoldenRow, ...]
    unlabelled: int = 0

    @property
    def gating(self) -> tuple[GoldenRow, ...]:
        """The rows that count in the gate."""
        return tuple(row for row in self.rows if row.gates)


def read_golden(path: str | Path) -> GoldenSet:
    """The golden set of a file: UTF-8, one JSON object per line, empty lines between.

    Raises:
        UsageError: ``bad_golden_set``, with every fault as ``file:line:1``.
    """
    # Read once: the digest must be of what was looked at.
    raw = read_bytes(path, "golden set", BAD_GOLDEN, max_bytes=MAX_BYTES)
    text = decoded(raw, path, "golden set", BAD_GOLDEN)
    return parse_golden(text, str(path), digest=_digest(raw))


def parse_golden(text: str, source: str, *, digest: str = "") -> GoldenSet:
    """The golden set that a text stands for; raises as ``read_golden``."""
    rows: list[GoldenRow] = []
    problems: list[Problem] = []
    seen: dict[str, GoldenRow] = {}
    unlabelled = 0
    # Not splitlines: an address may hold a line separator of Unicode, and JSON allows it.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = Where(source, number, 1)
        found, faults = _row(line, number)
        problems += [Problem(where, fault) for fault in faults]
        if found is None:
            continue
        if not found.labelled:
            unlabelled += 1
            continue
        same = seen.setdefault(unit_text(found.text), found)
        if same is not found:
            problems.append(Problem(where, _repeated(found, same)))
        rows.append(found)
    if not rows and not problems:
        more = f"; {unlabelled} rows say `labelled: false`" if unlabelled else ""
        problems.append(Problem(Where(source, 1, 1), f"no labelled address in it{more}"))
    if problems:
        raise DocumentError(
            "golden set",
            problems,
            code=BAD_GOLDEN,
            hint='A line is {"text": "…", "components": [{"type": "city", "start": 0, "end": 3}, '
            '…]} or {"text": "…", "address": {"city": "…"}}; see docs/guides/golden-set.md.',
        )
    return GoldenSet(digest or _digest(text.encode()), tuple(rows), unlabelled)


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _repeated(row: GoldenRow, first: GoldenRow) -> str:
    if _labels(row) == _labels(first):
        return f"the same address as in line {first.line}: it would count twice"
    return f"the same address as in line {first.line}, labelled otherwise: one of both is wrong"


def _labels(row: GoldenRow) -> object:
    if row.spans is None:
        return sorted((row.flat or {}).items())
    return sorted((kind, unit_text(row.text[start:end])) for kind, start, end in row.spans)


def _row(line: str, number: int) -> tuple[GoldenRow | None, list[str]]:
    try:
        document = read_json(line.encode(), max_bytes=_MAX_ROW_BYTES)
    except PermanentError as error:
        return None, [str(error)]
    if not isinstance(document, dict):
        return None, ["a row must be a JSON object"]
    faults = list(_faults(document))
    if faults:
        return None, faults
    components = document.get("components")
    spans = None
    if components is not None:
        spans = tuple((one["type"], one["start"], one["end"]) for one in components)
    row = GoldenRow(
        line=number,
        id=document.get("id") or f"line-{number}",
        text=document["text"],
        spans=spans,
        flat=dict(document["address"]) if spans is None else None,
        stratum=document.get("stratum") or "",
        labelled=document.get("labelled", True),
    )
    return row, []


def _faults(document: dict[str, Any]) -> Iterator[str]:
    for name in sorted(set(document) - _ROW - _RESULT):
        yield f"unknown name `{name[:40]}`; {nearest(name, sorted(_ROW))}"
    for name in ("id", "stratum", "note"):
        if not isinstance(document.get(name, ""), str):
            yield f"`{name}` must be a text"
    if not isinstance(document.get("labelled", True), bool):
        yield "`labelled` must be true or false"
    text = document.get("text")
    if not isinstance(text, str) or not unit_text(text):
        yield "`text` must be an address"
        return
    components, address = document.get("components"), document.get("address")
    if components is not None:
        yield from _component_faults(components, text)
    elif address is not None:
        yield from _address_faults(address)
    else:
        yield "neither `components` nor `address`: nothing is labelled"


def _address_faults(address: object) -> Iterator[str]:
    if not isinstance(address, dict) or not address:
        yield "`address` must be an object of component types and texts"
        return
    for kind, value in address.items():
        if kind not in COMPONENT_TYPES:
            yield f"unknown component type `{kind[:40]}`; {nearest(kind, COMPONENT_TYPES)}"
        elif not isinstance(value, str) or not value:
            yield f"`address.{kind}` must be a text"


def _component_faults(components: object, text: str) -> Iterator[str]:
    if not isinstance(components, list):
        yield "`components` must be a list"
        return
    spans: list[tuple[int, int, int]] = []
    for index, one in enumerate(components):
        name = f"components[{index}]"
        if not isinstance(one, dict):
            yield f"`{name}` must be an object with type, start and end"
            continue
        kind, start, end = one.get("type"), one.get("start"), one.get("end")
        if not isinstance(kind, str) or kind not in COMPONENT_TYPES:
            shown = kind[:40] if isinstance(kind, str) else "nothing"
            hint = nearest(kind, COMPONENT_TYPES) if isinstance(kind, str) else "name its type"
            yield f"`{name}.type` is no component type: `{shown}`; {hint}"
        if type(start) is not int or type(end) is not int:
            yield f"`{name}` must have whole numbers for start and end"
        elif not 0 <= start < end <= len(text):
            yield (
                f"`{name}` spans {start} to {end}, the text has code points 0 to {len(text)} "
                "(end is one past the last)"
            )
        elif one.get("text", text[start:end]) != text[start:end]:
            yield f"`{name}.text` is not what stands from {start} to {end}"
        else:
            spans.append((start, end, index))
    spans.sort()
    for (_, end, before), (start, _, index) in pairwise(spans):
        if start < end:
            first, second = sorted((before, index))
            yield f"`components[{first}]` and `components[{second}]` overlap"
