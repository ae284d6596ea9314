"""What promote.sh makes of mgeo's exit codes and of signals; a program that leaves as it is told
to stands in for mgeo here. Against the real one: tests/integration/test_pipelines.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.pipelines import CI

STAND_IN = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
trap 'echo detached >>"$CALLS"; kill $!; exit 124' TERM
case "$*" in
  *"rollout status"*) echo '{"serving": {"stable": {"version": "mgeo-a-b-20260101"}}}' ;;
  *"--output json"*) echo '{"rollout_id": "r-1"}' ;;
esac
if [ "${HANG:-}" ]; then
  sleep 30 & wait $!
fi
code=$(head -n 1 "$CODES"); sed -i.old 1d "$CODES"
exit "${code:-0}"
"""


class Script:
    """promote.sh in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls_file, self.codes_file = folder / "calls", folder / "codes"
        self.calls_file.touch()
        program = folder / "bin" / "mgeo"
        program.parent.mkdir()
        program.write_text(STAND_IN)
        program.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "CODES": str(self.codes_file),
            "PROMOTE_VERSION": "mgeo-c-d-20260202",
        }

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()

    def start(self, step: str, *codes: int, **environment: str) -> subprocess.Popen[str]:
        self.codes_file.write_text("".join(f"{code}\n" for code in codes))
        return subprocess.Popen(
            [str(CI / "promote.sh"), step],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, step: str, *codes: int, **environment: str) -> int:
        process = self.start(step, *codes, **environment)
        process.communicate(timeout=30)
        return process.returncode


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 7, 70, 124])
@pytest.mark.parametrize("step", ["shadow", "promote"])
def test_a_step_leaves_with_the_code_of_mgeo(script: Script, step: str, code: int) -> None:
    script("shadow", 0)

    assert script(step, code) == code


def test_time_that_is_up_attaches_again(script: Script) -> None:
    assert script("shadow", 124, 124, 0, PROMOTE_TRIES="3") == 0
    assert len(script.calls) == 3
    assert len(set(script.calls)) == 1


def test_a_verdict_is_never_tried_again(script: Script) -> None:
    assert script("shadow", 3, 0, PROMOTE_TRIES="3") == 3
    assert len(script.calls) == 1


def test_the_later_steps_speak_of_the_rollout_that_was_started(script: Script) -> None:
    script("shadow", 0)
    script("approve", 0, PROMOTE_KEY="key.pem")
    script("promote", 0)

    assert script.calls[1].startswith("rollout approve r-1")
    assert script.calls[2].startswith("rollout wait r-1")


@pytest.mark.parametrize("step", ["approve", "promote", "abort", "rollback"])
def test_without_a_rollout_of_ours_nothing_is_asked(script: Script, step: str) -> None:
    """By default mgeo would take the one that runs, and that may be somebody else's."""
    assert script(step, 0, PROMOTE_KEY="key.pem") == 2
    assert script.calls == []


def test_another_rollout_is_not_taken_for_ours(script: Script) -> None:
    script("shadow", 7)

    assert script("promote", 0) == 2


def test_changes_to_the_policy_are_passed_on(script: Script) -> None:
    script("shadow", 0, PROMOTE_SET="shadow.min_duration=10s bake.duration=5s")

    [call] = script.calls
    assert "--set shadow.min_duration=10s --set bake.duration=5s" in call


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_cancelled_job_detaches_at_once(script: Script, number: signal.Signals) -> None:
    process = script.start("shadow", 0, HANG="1", PROMOTE_TRIES="3")
    deadline = time.monotonic() + 20
    while not script.calls and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=20)

    assert process.returncode == 124
    assert script.calls[-1] == "detached"
    assert len(script.calls) == 2


def test_compare_names_the_model_that_serves(script: Script) -> None:
    assert script("compare", 0, PROMOTE_GOLDEN="golden.jsonl") == 0
    assert script.calls[1].startswith("model compare mgeo-a-b-20260101 mgeo-c-d-20260202 ")


def test_a_missing_variable_is_named(script: Script) -> None:
    process = script.start("add", 0, PROMOTE_VERSION="")
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 2
    assert "PROMOTE_VERSION is not set" in errors
