"""The report as JUnit XML, so that a CI server shows each gate as a test. Pure.

A gate that failed is a ``failure``. One that stayed undecided is an ``error``: the answer is
missing, which CI servers show red and apart from failures. Until the rollout has its verdict an
undecided gate is ``skipped``, like one that was not configured or a slice that is too thin: never
a success without evidence. The first test is the verdict itself.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from contracts.judgement import GateResult
from rollout.report.data import ReportData
from rollout.report.outcome import Outcome, outcome_of
from rollout.report.wording import figure, gate_words, one_line, threshold_words, visible

_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold at all, escaped or not."""


def write_junit(data: ReportData) -> bytes:
    """The XML document, UTF-8."""
    outcome = outcome_of(data)
    cases = [_verdict_case(outcome), *(_gate_case(gate, outcome) for gate in data.gates)]
    counted = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    totals = {name: str(number) for name, number in counted.items()}
    suites = ET.Element("testsuites", {"name": "mgeo rollout", **totals, "time": "0"})
    suite = ET.SubElement(
        suites,
        "testsuite",
        {
            "name": _legal(data.name),
            **totals,
            "time": "0",
            "timestamp": _timestamp(data.generated_at),
            "hostname": "mgeo",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(data).items():
        ET.SubElement(properties, "property", {"name": name, "value": _legal(value)})
    suite.extend(cases)
    ET.indent(suites)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _properties(data: ReportData) -> dict[str, str]:
    told = {
        "candidate": data.candidate.name,
        "reference": data.reference.name,
        "policy": data.policy_digest,
        "phase": data.phase or "",
        "decision": data.decision_digest,
    }
    return {name: value for name, value in told.items() if value}


def _verdict_case(outcome: Outcome) -> ET.Element:
    case = ET.Element("testcase", {"classname": "rollout", "name": "verdict", "time": "0"})
    said = one_line(": ".join(part for part in (outcome.headline, outcome.why) if part), 1000)
    match outcome.tone:
        case "bad":
            _outcome(case, "failure", outcome.code or "failed", said)
        case "open":
            _outcome(case, "error", outcome.code or "inconclusive", said)
        case "running":
            _outcome(case, "skipped", "", said)
        case "good":
            ET.SubElement(case, "system-out").text = _legal(said)
    return case


def _gate_case(gate: GateResult, outcome: Outcome) -> ET.Element:
    case = ET.Element(
        "testcase",
        {"classname": f"rollout.{gate.kind}", "name": _legal(visible(gate.name)), "time": "0"},
    )
    figures = (
        f"value {figure(gate, gate.value)}, bound {figure(gate, gate.bound)}, "
        f"threshold {threshold_words(gate)}, n {gate.n:,} {gate_words(gate.name).unit}"
    )
    said = one_line(gate.reason or figures, 1000)
    final = outcome.tone in {"bad", "open"}
    match gate.status:
        case "failed":
            _outcome(case, "failure", "gate_failed", said, figures)
        case "undecided" if final:
            _outcome(case, "error", "gate_undecided", said, figures)
        case "undecided":
            _outcome(case, "skipped", "", f"not decided yet: {said}")
        case "unjudged" | "not_configured":
            _outcome(case, "skipped", "", said)
        case "passed":
            ET.SubElement(case, "system-out").text = _legal(f"{said}\n{figures}")
    return case


def _outcome(case: ET.Element, tag: str, kind: str, message: str, text: str = "") -> None:
    about = {"message": _legal(message)}
    if kind:
        about["type"] = kind
    ET.SubElement(case, tag, about).text = _legal(text) or None


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)


def _timestamp(text: str) -> str:
    # xs:dateTime without a zone and a fraction is what the field's readers agree on.
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return "1970-01-01T00:00:00"
