"""The first line of every report: what came of it, and whether that is good. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from contracts.phases import ENDED, Phase
from rollout.report.data import ReportData

Tone = Literal["good", "bad", "open", "running"]
"""``open``: it ended without an answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a report says first.

    Attributes:
        tone: how it is coloured, and how a CI server shows it.
        headline: a few words.
        why: one sentence with figures; may be empty.
        code: the stable code of the reason; may be empty.
        ended: nothing more will come.
    """

    tone: Tone
    headline: str
    why: str
    code: str
    ended: bool


_PHASES: Final = MappingProxyType[Phase, tuple[Tone, str]](
    {
        Phase.REGISTERED: ("running", "Registered"),
        Phase.WARMING: ("running", "Warming"),
        Phase.SHADOWING: ("running", "Shadowing"),
        Phase.PASSED: ("good", "Passed"),
        Phase.AWAITING_APPROVAL: ("good", "Passed, awaiting approval"),
        Phase.STAGING: ("good", "Passed, staging"),
        Phase.CANARY: ("good", "Passed, serving a share"),
        Phase.CUTTING_OVER: ("good", "Passed, cutting over"),
        Phase.BAKING: ("good", "Serving, being watched"),
        Phase.PROMOTED: ("good", "Promoted"),
        Phase.INCONCLUSIVE: ("open", "Inconclusive"),
        Phase.ABORTED: ("bad", "Aborted"),
        Phase.ROLLING_BACK: ("bad", "Rolling back"),
        Phase.ROLLED_BACK: ("bad", "Rolled back"),
    }
)

_COMPARED: Final = MappingProxyType[str, tuple[Tone, str]](
    {
        "pass": ("good", "Not worse"),
        "fail": ("bad", "Worse"),
        "inconclusive": ("open", "Inconclusive"),
        "no_data": ("open", "No data"),
        "stale": ("open", "Stale"),
        "continue": ("open", "Undecided"),
    }
)


def outcome_of(data: ReportData) -> Outcome:
    """What came of it."""
    if data.kind == "comparison" or data.phase is None:
        return _of_comparison(data)
    tone, headline = _PHASES[data.phase]
    rollout, judgement = data.rollout, data.judgement
    code = rollout.code if rollout is not None else ""
    why = rollout.reason if rollout is not None else ""
    if judgement is not None and (not why or tone == "running"):
        code, why = judgement.code or code, judgement.reason or why
    if tone == "running" and judgement is not None and judgement.verdict in {"no_data", "stale"}:
        tone, headline = "open", f"{headline}: {judgement.verdict.replace('_', ' ')}"
    if data.paused:
        headline = f"{headline} (paused)"
    return Outcome(tone, headline, why, code, data.phase in ENDED)


def _of_comparison(data: ReportData) -> Outcome:
    judgement = data.judgement
    if judgement is None:
        return Outcome("running", "Compared, not judged", "No gate was configured.", "", ended=True)
    if all(gate.status == "not_configured" for gate in judgement.gates):
        # Nothing was asked of it: neither good nor bad, and nothing to be red about.
        why = judgement.reason or "No gate was configured."
        return Outcome("running", "Compared, not judged", why, judgement.code, ended=True)
    tone, headline = _COMPARED[judgement.verdict]
    return Outcome(tone, headline, judgement.reason, judgement.code, ended=True)
