"""An audit is clean only if everything was asked about, and nothing open was found."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import UsageError
from deploy.security.advisories import (
    Accepted,
    Advisory,
    Audit,
    Dependency,
    judge,
    read_accepted,
    read_printed,
)
from deploy.security.contents import canonical, missing_from, pinned, read_contents

TODAY = date(2026, 11, 26)
HOLE = Advisory(id="PYSEC-1", aliases=("CVE-1", "GHSA-1"), fix_versions=("2.0",))

PRINTED = {
    "dependencies": [
        {"name": "good", "version": "1.0", "vulns": []},
        {
            "name": "bad",
            "version": "1.0",
            "vulns": [
                {
                    "id": "PYSEC-1",
                    "fix_versions": ["2.0"],
                    "aliases": ["CVE-1"],
                    "description": "long",
                }
            ],
        },
        {"name": "odd", "skip_reason": "not found"},
    ],
    "fixes": [],
}


def accepted(identifier: str = "CVE-1", package: str = "bad", until: date = TODAY) -> Accepted:
    return Accepted(id=identifier, package=package, reason="not reachable", until=until)


def test_what_the_tool_prints_is_read() -> None:
    found = read_printed(json.dumps(PRINTED))
    assert found is not None
    audit = judge(found, (), today=TODAY)
    assert (audit.audited, len(audit.open), len(audit.unaudited)) == (2, 1, 1)
    assert audit.open[0].sentence == "bad 1.0: PYSEC-1, fixed in 2.0"
    assert audit.verdict == "vulnerable"


@pytest.mark.parametrize("text", ["", "ERROR: no connection", "[]", "{}", '{"dependencies": 1}'])
def test_no_document_is_no_answer(text: str) -> None:
    assert read_printed(text) is None


@pytest.mark.parametrize(
    ("dependencies", "verdict"),
    [
        ((), "not_audited"),
        ((Dependency(name="a", version="1", vulns=()),), "clean"),
        ((Dependency(name="a", skip_reason="not found"),), "not_audited"),
        (
            (Dependency(name="a", version="1", vulns=()), Dependency(name="mgeo-stream")),
            "clean",
        ),
        ((Dependency(name="a", vulns=(HOLE,)), Dependency(name="b")), "vulnerable"),
    ],
)
def test_the_verdict(dependencies: tuple[Dependency, ...], verdict: str) -> None:
    assert judge(dependencies, (), today=TODAY).verdict == verdict


@pytest.mark.parametrize(
    ("acceptance", "stands"),
    [
        (accepted(), True),
        (accepted("PYSEC-1"), True),
        (accepted("GHSA-1"), True),
        (accepted(package="BAD"), True),
        (accepted("CVE-2"), False),
        (accepted(package="good"), False),
        (accepted(until=date(2026, 11, 25)), False),
    ],
)
def test_an_acceptance_is_for_one_hole_of_one_package_for_a_time(
    acceptance: Accepted, stands: bool
) -> None:
    audit = judge([Dependency(name="bad", vulns=(HOLE,))], [acceptance], today=TODAY)
    assert (len(audit.accepted), len(audit.open)) == ((1, 0) if stands else (0, 1))


def test_an_acceptance_that_nothing_needs_is_told() -> None:
    audit = judge([Dependency(name="bad", vulns=())], [accepted()], today=TODAY)
    assert audit.unneeded == (accepted(),)


names = st.sampled_from(["a", "b", "c"])
advisories = st.builds(Advisory, id=st.sampled_from(["X", "Y"]), fix_versions=st.just(()))
dependencies = st.lists(
    st.builds(
        Dependency,
        name=names,
        version=st.just("1"),
        vulns=st.one_of(st.none(), st.lists(advisories, max_size=3).map(tuple)),
    ),
    max_size=6,
)
acceptances = st.lists(
    st.builds(
        Accepted,
        id=st.sampled_from(["X", "Y", "Z"]),
        package=names,
        reason=st.just("r"),
        until=st.dates(),
    ),
    max_size=4,
)


@given(dependencies, acceptances, st.dates())
def test_no_finding_is_lost_and_none_is_told_twice(
    found: list[Dependency], given_: list[Accepted], today: date
) -> None:
    audit: Audit = judge(found, given_, today=today)
    every = sum(len(one.vulns or ()) for one in found)
    assert len(audit.open) + len(audit.accepted) == every
    assert audit.audited + len(audit.unaudited) == len(found)
    assert (audit.verdict == "clean") == (
        not audit.open and bool(found) and all(one.vulns is not None for one in found)
    )


def test_the_list_of_acceptances_is_read_strictly() -> None:
    good = [{"id": "X", "package": "a", "reason": "r", "until": "2027-01-01"}]
    assert read_accepted(json.dumps(good))[0].until == date(2027, 1, 1)
    for bad in ("", "{}", json.dumps([{"id": "X"}]), json.dumps([{**good[0], "for ever": True}])):
        with pytest.raises(UsageError) as caught:
            read_accepted(bad)
        assert caught.value.code == "bad_accepted_advisories"


def test_the_list_of_contents_must_hold_what_is_pinned_and_installed() -> None:
    constraints = "# a comment\nPyYAML==1\nnot-installed-at-all==1\npytest==1 ; x\n-e .\n"
    assert list(pinned(constraints)) == ["pyyaml", "not-installed-at-all", "pytest"]
    document = {"components": [{"name": "PyYAML", "version": "0"}]}
    contents = read_contents(json.dumps(document))
    wrong = missing_from(contents, constraints)
    assert [line.split("==")[0] for line in wrong] == ["pyyaml", "pytest"]
    assert canonical("Typing_Extensions.x") == "typing-extensions-x"
