"""How the doctor goes on its rounds and tells a broker's age."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.control import first_state
from contracts.errors import UsageError
from deploy.doctor import CHECKS, Finding, Status, examine
from deploy.doctor.broker import release
from deploy.doctor.finding import ok
from deploy.doctor.serving import judge
from tests.models.instant import spec

HERE = "tests.unit.deploy.test_doctor"


def healthy() -> Iterator[Finding]:
    yield ok("healthy", "yes")


def known() -> Iterator[Finding]:
    yield ok("before", "yes")
    raise UsageError("a setting is wrong", hint="mend it")


def unforeseen() -> Iterator[Finding]:
    raise ZeroDivisionError("at night")
    yield


def test_a_check_that_fails_is_a_finding_and_the_rounds_go_on() -> None:
    findings = examine([f"{HERE}:known", f"{HERE}:unforeseen", f"{HERE}:healthy", "no.such:check"])
    assert [(f.status, f.found) for f in findings] == [
        (Status.BROKEN, "a setting is wrong"),
        (Status.BROKEN, "ZeroDivisionError: at night"),
        (Status.OK, "yes"),
        (Status.BROKEN, "ModuleNotFoundError: No module named 'no'"),
    ]
    assert findings[0].hint == "mend it"


def test_every_listed_check_exists() -> None:
    from importlib import import_module

    for check in CHECKS:
        module, _, name = check.partition(":")
        assert callable(getattr(import_module(module), name))


STATE = first_state(spec(), incarnation="i", updated_at="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("wanted", [None, "", spec().version, spec().name])
def test_the_serving_model_is_shown(wanted: str | None) -> None:
    finding = judge(STATE, wanted)
    assert finding.status is Status.OK
    assert finding.found == f"{spec().name}, serving epoch 1"


def test_a_setting_that_the_record_overrules_is_pointed_out() -> None:
    finding = judge(STATE, "mgeo-other-v1-20260101")
    assert finding.status is Status.ABSENT
    assert "MGEO_VERSION says mgeo-other-v1-20260101, which is not used" in finding.found
    assert "mgeo rollout start --candidate mgeo-other-v1-20260101" in finding.hint


@pytest.mark.parametrize(
    ("fetch", "version"),
    [
        ((4, 18), "4.1"),
        ((4, 17), "4.0"),
        ((0, 17), "3.9"),
        ((0, 16), "3.7"),
        ((0, 13), "3.1"),
        ((0, 11), None),
    ],
)
def test_a_brokers_release_shows_in_the_fetch_versions(
    fetch: tuple[int, int], version: str | None
) -> None:
    assert release({1: fetch}) == version
    assert release({}) is None
