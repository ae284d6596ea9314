"""How gates, figures and moments are named and written, the same in every format. Pure."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from contracts.judgement import GateKind, GateResult, GateStatus
from rollout.judge.figures import percent, score


@dataclass(frozen=True, slots=True)
class GateWords:
    """What people are told about one gate.

    Attributes:
        title: its name in words.
        unit: what its ``n`` counts.
        figure: writes one of its values.
        wants: ``above`` where values should lie above the threshold, else ``below``.
        least: no value of it can lie below.
        most: no value of it can lie above.
    """

    title: str
    unit: str
    figure: Callable[[float], str]
    wants: str
    least: float = 0.0
    most: float = math.inf


def points(value: float) -> str:
    """A difference of two shares, in percentage points: ``+0.12 pp``."""
    return f"{value * 100:+.2f} pp"


def times(value: float) -> str:
    """A ratio: ``1.04 ×``."""
    return f"{value:.3f} ×"


def milliseconds(value: float) -> str:
    """A time, to three digits that matter: ``8.41 ms``."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} ms"


def count(value: float) -> str:
    """A whole number with thin groups: ``12,340``."""
    return f"{value:,.0f}"


_WORDS: Final = MappingProxyType(
    {
        "exact_match": GateWords("Exact match", "addresses", percent, "above", most=1.0),
        "span_f1": GateWords("Span F1", "addresses", score, "above", most=1.0),
        "harm_exact_match": GateWords("Exact match, harm", "addresses", percent, "above", most=1.0),
        "harm_span_f1": GateWords("Span F1, harm", "addresses", score, "above", most=1.0),
        "error_rate": GateWords("Error rate, increase", "addresses", points, "below", -1.0, 1.0),
        "latency_p99": GateWords(
            "Batches over the latency limit", "batches", points, "below", -1.0, 1.0
        ),
        "latency_ratio": GateWords("Latency ratio, median", "batches", times, "below"),
        "aa": GateWords("Instrument check (A/A)", "addresses", percent, "below", most=1.0),
        "golden": GateWords("Golden set, change of F1", "labels", points, "above", -1.0, 1.0),
    }
)

_SLICED_BY: Final = MappingProxyType({"prov": "province"})

KIND_WORDS: Final = MappingProxyType[GateKind, str](
    {
        "proof": "must be proven",
        "guard": "must not be harmed",
        "instrument": "can the measurement be trusted",
        "golden": "labelled addresses",
    }
)

STATUS_WORDS: Final = MappingProxyType[GateStatus, str](
    {
        "passed": "passed",
        "failed": "failed",
        "undecided": "undecided",
        "unjudged": "not judged",
        "not_configured": "not configured",
    }
)

STATUS_MARKS: Final = MappingProxyType[GateStatus, str](
    {"passed": "✓", "failed": "✗", "undecided": "?", "unjudged": "–", "not_configured": "–"}
)
"""A sign beside each colour: paper and many eyes have no colours."""


def gate_words(name: str) -> GateWords:
    """The words for a gate; a slice is titled by its value."""
    known = _WORDS.get(name)
    if known is not None:
        return known
    title = slice_title(name.removeprefix("slice:")) if name.startswith("slice:") else name
    return GateWords(title, "addresses", percent, "above", most=1.0)


def slice_title(key: str) -> str:
    """``浙江省`` for ``prov=浙江省``; what the reference named nothing for is said so."""
    by, _, value = key.partition("=")
    return value or f"no {_SLICED_BY.get(by, by) or 'value'} named"


def figure(gate: GateResult, value: float | None) -> str:
    """One value of a gate in its unit; a dash for none."""
    return "–" if value is None else gate_words(gate.name).figure(value)


def threshold_words(gate: GateResult) -> str:
    """The threshold with its side: ``≥ 98.00%``."""
    if gate.threshold is None:
        return "–"
    sign = "≥" if gate_words(gate.name).wants == "above" else "≤"
    return f"{sign} {figure(gate, gate.threshold)}"


def progress(gate: GateResult) -> float | None:
    """How far the evidence is on its way to deciding, in [0, 1]; None where it has no such way."""
    if gate.log_e is None or not gate.log_e_needed:
        return None
    return min(1.0, max(0.0, gate.log_e / gate.log_e_needed))


def moment(text: str) -> str:
    """An RFC 3339 moment to the second, in UTC, for people; other texts as they are."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return text
    return parsed.strftime("%Y-%m-%d %H:%M:%S") + (" UTC" if parsed.tzinfo else "")


def span_of_time(start: str, end: str) -> str:
    """From one RFC 3339 moment to another: ``2 h 14 min``; empty where they are none."""
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):
        return ""
    if seconds < 0:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS: Final = 2


def visible(text: str) -> str:
    """The text with everything that cannot be seen, or that reorders what is seen, spelt out.

    Control, format (zero-width, bidirectional), surrogate, private and unassigned characters
    become ``⟨U+202E⟩``; so do combining marks after the second one on a character.
    """
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        hidden = category in _INVISIBLE or marks > _MARKS
        odd_space = category == "Zs" and character not in {" ", "\u3000"}
        shown.append(f"⟨U+{ord(character):04X}⟩" if hidden or odd_space else character)
    return "".join(shown)


def sentence(text: str, limit: int = 1000) -> str:
    """A reason as a sentence of its own: on one line, beginning large, with a full stop."""
    line = one_line(text, limit)
    ended = line.endswith((".", "!", "?", "…", "。"))
    return line[:1].upper() + line[1:] + ("" if ended or not line else ".")


def one_line(text: str, limit: int = 300) -> str:
    """Text for one line of a plain format: visible, and cut at a length."""
    line = visible(text.replace("\n", " "))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
