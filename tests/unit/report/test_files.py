"""The files of a report: what a CI server, a merge request and a program get."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from contracts.canonical import digest_of
from contracts.errors import UsageError
from contracts.judgement import GateResult, Judgement
from contracts.phases import Phase
from rollout.report import ReportData, write_report
from rollout.report.example import EXAMPLES, aborted, hostile, promoted, running, untouched
from rollout.report.example.__main__ import main
from rollout.report.junit import write_junit
from rollout.report.markdown import escape, table, write_markdown

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "report"
ALL = {name: make() for name, make in EXAMPLES.items()}


@pytest.fixture(params=ALL, ids=ALL)
def data(request: pytest.FixtureRequest) -> ReportData:
    return ALL[request.param]


def test_the_example_of_the_documents_is_what_the_code_writes(tmp_path: Path) -> None:
    main(tmp_path)

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in EXAMPLE.iterdir()}
    assert written.keys() == kept.keys()
    changed = [name for name in kept if kept[name] != written[name]]
    assert changed == [], "run `python -m rollout.report.example docs/examples/report`"


def test_a_report_is_read_back_as_it_was(data: ReportData, tmp_path: Path) -> None:
    files = write_report(data, tmp_path)

    assert ReportData.model_validate_json(files.json.read_bytes()) == data


def test_writing_again_changes_no_byte_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_report(promoted(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_report(promoted(), tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_decision_file_has_the_digest_that_was_signed(tmp_path: Path) -> None:
    data = promoted()
    files = write_report(data, tmp_path)

    assert files.decision is not None
    assert digest_of(json.loads(files.decision.read_bytes())) == data.decision_digest


def test_a_report_without_a_decision_leaves_no_old_one(tmp_path: Path) -> None:
    write_report(promoted(), tmp_path)
    files = write_report(running(), tmp_path)

    assert files.decision is None
    assert not (tmp_path / "decision.json").exists()


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UsageError) as caught:
        write_report(running(), tmp_path / "taken")

    assert caught.value.code == "report_unwritable"
    assert caught.value.hint


# --- JUnit ----------------------------------------------------------------------------------------

COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def suite_of(data: ReportData) -> ET.Element:
    """The suite, held against what readers of JUnit XML agree on."""
    root = ET.fromstring(write_junit(data))  # noqa: S314  (our own document)
    assert root.tag == "testsuites"
    (suite,) = root
    assert suite.tag == "testsuite"
    order = [child.tag for child in suite]
    assert order == ["properties", *["testcase"] * (len(order) - 1)]
    cases = suite.findall("testcase")
    assert int(suite.attrib["tests"]) == len(cases)
    for tag, counter in COUNTED.items():
        found = sum(case.find(tag) is not None for case in cases)
        assert int(suite.attrib[counter]) == int(root.attrib[counter]) == found
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    for case in cases:
        assert {"name", "classname", "time"} <= case.attrib.keys()
        assert [one.tag for one in case] in (
            [],
            ["failure"],
            ["error"],
            ["skipped"],
            ["system-out"],
        )
        for one in case:
            if one.tag != "system-out":
                assert one.attrib["message"]
    names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
    assert len(set(names)) == len(names)
    return suite


def outcomes(suite: ET.Element) -> dict[str, str]:
    found = {}
    for case in suite.findall("testcase"):
        tags = [one.tag for one in case if one.tag in COUNTED]
        found[case.attrib["name"]] = tags[0] if tags else "success"
    return found


def test_junit_holds_for_every_report(data: ReportData) -> None:
    suite_of(data)


def test_the_verdict_and_each_gate_is_a_test() -> None:
    data = aborted()
    found = outcomes(suite_of(data))

    assert found["verdict"] == "failure"
    assert found["harm_exact_match"] == "failure"
    assert found["exact_match"] == "error", "never proven is not passed"
    assert found["latency_ratio"] == "success"
    assert found["slice:prov=西藏自治区"] == "skipped"
    assert found.keys() == {"verdict", *(gate.name for gate in data.gates)}


def test_a_failed_gate_carries_its_figures() -> None:
    case = suite_of(aborted()).find("testcase[@name='harm_exact_match']/failure")

    assert case is not None
    assert case.text is not None
    assert "threshold ≥ 95.00%" in case.text


def test_while_a_rollout_runs_nothing_undecided_is_a_success_or_a_failure() -> None:
    found = outcomes(suite_of(running()))

    assert found["verdict"] == "skipped"
    assert found["exact_match"] == "skipped"
    assert "failure" not in found.values()
    assert "error" not in found.values()


def test_no_data_is_an_error_and_never_a_success() -> None:
    assert outcomes(suite_of(untouched())) == {"verdict": "error"}


def test_an_inconclusive_end_is_an_error() -> None:
    data = running().model_copy(update={"phase": Phase.INCONCLUSIVE})
    found = outcomes(suite_of(data))

    assert found["verdict"] == "error"
    assert found["exact_match"] == "error"


def test_what_was_not_configured_is_skipped() -> None:
    data = promoted()
    golden = GateResult(name="golden", kind="golden", status="not_configured", reason="no set")
    assert data.judgement is not None
    judgement: Judgement = data.judgement.model_copy(update={"gates": (golden,)})

    found = outcomes(suite_of(data.model_copy(update={"judgement": judgement})))

    assert found == {"verdict": "success", "golden": "skipped"}


def test_a_comparison_that_nothing_was_asked_of_is_neither_red_nor_green() -> None:
    golden = GateResult(name="golden", kind="golden", status="not_configured", reason="no set")
    said = Judgement(verdict="inconclusive", code="golden_missing", reason="x", gates=(golden,))

    found = outcomes(suite_of(ALL["comparison"].model_copy(update={"judgement": said})))

    assert found == {"verdict": "skipped", "golden": "skipped"}


# --- Markdown -------------------------------------------------------------------------------------


def test_the_comment_holds_no_address() -> None:
    data = aborted()
    comment = write_markdown(data)

    assert data.disagreements
    assert all(one.text not in comment for one in data.disagreements)


def test_the_comment_is_short_and_says_the_verdict_first(data: ReportData) -> None:
    comment = write_markdown(data)

    assert comment.startswith("### ")
    assert len(comment) < 12_000
    assert comment.endswith("\n")


def test_tables_stand_in_line_with_hanzi_too() -> None:
    lines = table(("a", "b"), [("浙江省", "1"), ("x", "22")], right=(1,)).splitlines()

    def width(line: str) -> int:
        return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)

    assert len({width(line) for line in lines}) == 1
    assert lines[1] == "| ------ | -: |"


@pytest.mark.parametrize("text", ["<b>", "@all", "a|b", "[x](http://y)", "`rm`", "#1", "!x"])
def test_markdown_of_others_stays_text(text: str) -> None:
    escaped = escape(text)

    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert re.search(r"(?<!\\)[<>@|\[\]`#!]", escaped) is None


def test_hostile_names_break_no_table() -> None:
    comment = write_markdown(hostile())

    rows = [line for line in comment.splitlines() if line.startswith("|")]
    columns = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert columns <= {7, 5}
    assert "<script>" not in comment.replace("\\<", "").replace("\\>", "")


def test_an_id_stays_a_piece_of_code_in_the_comment() -> None:
    data = promoted()
    assert data.rollout is not None
    hostile_id = "r-1`</sub>\n\n@all **All gates passed** [report](https://evil.example)\x1b[8m"
    renamed = data.rollout.model_copy(update={"rollout_id": hostile_id})
    comment = write_markdown(data.model_copy(update={"rollout": renamed}))

    (facts,) = [line for line in comment.splitlines() if line.startswith("<sub>")]
    assert facts.endswith("</sub>")
    outside = "".join(facts.removeprefix("<sub>").removesuffix("</sub>").split("`")[::2])
    assert not re.search(r"[<>@*\[\]]", outside), "all of it stands in pieces of code"
    assert "\x1b" not in comment
