"""What promote.sh makes of mgeo's exit codes and of signals; a program that leaves as it is told
to stands in for mgeo here. Against the real one: tests/integration/test_pipelines.py.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import yaml

from tests.pipelines import CI
from tests.unit.test_docs_commands import parse

STAND_IN = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
trap 'echo detached >>"$CALLS"; kill $!; exit 124' TERM
case "$*" in
  *"rollout status"*) echo "$STATUS" ;;
  *check-updates*) cat "$UPDATES" ;;
  *"--output json"*) echo "$ANSWER" ;;
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
        self.printed = self.said = ""
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
            "UPDATES": str(folder / "updates.json"),
            "STATUS": json.dumps(
                {"rollout_id": "r-9", "serving": {"stable": {"version": "mgeo-a-b-20260101"}}}
            ),
            "ANSWER": json.dumps({"rollout_id": "r-1"}),
            "PROMOTE_VERSION": "mgeo-c-d-20260202",
            # These tests may themselves run on one of the servers.
            **dict.fromkeys(("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"), ""),
        }

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()

    def start(
        self, step: str, *codes: int, stdout: int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        self.codes_file.write_text("".join(f"{code}\n" for code in codes))
        return subprocess.Popen(
            [str(CI / "promote.sh"), step],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            # A shell cannot trap what it was started without: nohup ignores the hang-up.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )

    def __call__(self, step: str, *codes: int, **environment: str) -> int:
        process = self.start(step, *codes, **environment)
        self.printed, self.said = process.communicate(timeout=30)
        return process.returncode

    def hub_has(self, *updates: dict[str, object]) -> None:
        """What `mgeo model check-updates` is going to answer."""
        (self.folder / "updates.json").write_text(json.dumps(updates))


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


@pytest.mark.parametrize(("step", "before"), [("promote", 0), ("rollback", 1)])
def test_a_runner_may_hand_a_socket_over_as_standard_output(
    script: Script, step: str, before: int
) -> None:
    """As gitlab-ci-local does; a socket cannot be opened again as /dev/stdout."""
    script("shadow", 0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = script.start(step, *[0] * before, 0, stdout=theirs.fileno())
        _, said = process.communicate(timeout=30)
        theirs.close()
        assert process.returncode == 0, said
        assert b'"rollout_id": "r-1"' in ours.recv(65536)


STEPS = {
    "check": {"PROMOTE_VERSION": ""},
    "add": {"PROMOTE_MODEL": "modelscope:damo/x@f"},
    "verify": {},
    "compare": {"PROMOTE_GOLDEN": "golden.jsonl"},
    "shadow": {},
    "approve": {"PROMOTE_KEY": "key.pem"},
    "promote": {},
    "abort": {"PROMOTE_ROLLOUT": "current", "PROMOTE_REASON": "wrong"},
    "rollback": {"PROMOTE_ROLLOUT": "current", "PROMOTE_REASON": "wrong"},
    "switch": {"SWITCH_TO": "green"},
    "switch-back": {},
}
"""Every step that asks something, with what it needs."""


@pytest.fixture
def started(script: Script) -> Script:
    """With a rollout that `shadow` has started, and something new on the hub."""
    script.hub_has(NEW)
    decided = {"rollout_id": "r-1", "decision": {"digest": "sha256:d"}}
    assert script("shadow", 0, ANSWER=json.dumps(decided)) == 0
    script.calls_file.write_text("")
    return script


@pytest.mark.parametrize("step", STEPS)
def test_where_nothing_answers_a_step_asks_again(started: Script, step: str) -> None:
    patience = {"PROMOTE_TRIES": "3", "PROMOTE_PAUSE": "0s"}

    assert started(step, 6, 6, 0, **STEPS[step], **patience) == 0
    assert len(set(started.calls[:3])) == 1, "the same was asked again"
    asked = len(started.calls)
    assert started(step, 6, 6, 6, **STEPS[step], **patience) == 6
    assert started.calls[asked:] == started.calls[:3]


def test_every_call_of_mgeo_in_the_script_can_be_made(started: Script) -> None:
    for step, variables in STEPS.items():
        assert started(step, 0, 0, **variables) == 0, started.said
    assert started("add", 0, PROMOTE_MODEL="") == 0
    back = json.dumps({"rollout_id": "r-1", "phase": "ROLLING_BACK"})
    assert started("abort", 0, 0, ANSWER=back, **STEPS["abort"]) == 0
    assert len(set(started.calls)) > len(STEPS)
    for call in started.calls:
        parse(shlex.split(call))


def test_a_verdict_is_never_tried_again(script: Script) -> None:
    assert script("shadow", 3, 0, PROMOTE_TRIES="3") == 3
    assert len(script.calls) == 1


def test_the_later_steps_speak_of_the_rollout_that_was_started(script: Script) -> None:
    script("shadow", 0)
    script("approve", 0, PROMOTE_KEY="key.pem")
    script("promote", 0)

    assert script.calls[1].startswith("rollout approve r-1")
    assert script.calls[2].startswith("rollout wait r-1")


def test_only_the_decision_that_was_shown_is_approved(started: Script) -> None:
    started("approve", 0, PROMOTE_KEY="key.pem")
    [call] = started.calls
    assert call.endswith(" --decision sha256:d")

    started("shadow", 0)
    started("approve", 0, PROMOTE_KEY="key.pem")
    assert "--decision" not in started.calls[-1], "none was shown"


def test_another_rollout_is_not_taken_for_that_of_an_earlier_build(script: Script) -> None:
    """A server may keep a workspace from build to build."""
    script("shadow", 0)
    script("shadow", 7)

    assert script("promote", 0) == 2


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


def test_compare_judges_by_the_thresholds_that_the_rollout_will_have(script: Script) -> None:
    changes = "golden.min_delta=-0.02 golden.min_addresses=300"
    assert script("compare", 0, PROMOTE_GOLDEN="golden.jsonl", PROMOTE_SET=changes) == 0
    assert "--set golden.min_delta=-0.02 --set golden.min_addresses=300" in script.calls[1]


NEW = {"new": True, "version": "mgeo-base-f-20261126", "model": "modelscope:damo/x@f"}
KNOWN = {"new": False, "version": None, "model": "modelscope:damo/y@e"}


def test_what_is_new_on_the_hub_becomes_the_candidate_of_the_later_steps(script: Script) -> None:
    script.hub_has(KNOWN, NEW)
    outputs = script.folder / "outputs"

    named = {"PROMOTE_VERSION": "", "GITHUB_OUTPUT": str(outputs)}
    assert script("check", 0, PROMOTE_HUB="damo/x@main damo/y", **named) == 0
    assert script.calls == ["model check-updates damo/x@main damo/y --output json"]
    assert outputs.read_text() == "version=mgeo-base-f-20261126\nmodel=modelscope:damo/x@f\n"
    for step in ("add", "verify", "shadow"):
        assert script(step, 0, 0, **named) == 0
    asked = [call.partition(" --")[0] for call in script.calls[1:]]
    assert asked == [
        "model add modelscope:damo/x@f",
        "model verify mgeo-base-f-20261126",
        "model selfcheck mgeo-base-f-20261126",
        "rollout start",
    ]
    assert "--candidate mgeo-base-f-20261126" in script.calls[-1]


def test_where_nothing_is_new_there_is_no_candidate_and_no_failure(script: Script) -> None:
    script.hub_has(NEW)
    script("check", 0, PROMOTE_VERSION="")
    script.hub_has(KNOWN)
    outputs = script.folder / "outputs"

    assert script("check", 0, PROMOTE_VERSION="", GITHUB_OUTPUT=str(outputs)) == 0
    assert outputs.read_text() == "version=\nmodel=\n"
    assert "Nothing is new" in script.said
    assert script("add", 0, PROMOTE_VERSION="") == 2, "an earlier candidate must be forgotten"


def test_of_several_new_models_one_is_taken_and_the_others_are_said(script: Script) -> None:
    script.hub_has(NEW, {**NEW, "model": "modelscope:damo/z@d"})

    assert script("check", 0, PROMOTE_VERSION="") == 0
    assert "The candidate is mgeo-base-f-20261126, from modelscope:damo/x@f" in script.said
    assert "for the next pipeline: modelscope:damo/z@d" in script.said


def test_to_have_looked_for_nothing_is_no_good_news(script: Script) -> None:
    script.hub_has()

    assert script("check", 0, PROMOTE_VERSION="") == 2
    assert "set PROMOTE_HUB" in script.said


@pytest.mark.parametrize("code", [1, 2, 6, 70])
def test_a_hub_that_could_not_be_asked_is_a_failure(script: Script, code: int) -> None:
    script.hub_has(NEW)

    assert script("check", code, PROMOTE_VERSION="") == code
    assert not (script.folder / "reports" / "candidate").exists()


def test_a_hub_that_is_away_is_asked_again(script: Script) -> None:
    script.hub_has(NEW)

    assert script("check", 6, 0, PROMOTE_VERSION="", PROMOTE_TRIES="2", PROMOTE_PAUSE="0s") == 0
    assert len(script.calls) == 2


def test_a_named_candidate_is_taken_without_a_look_at_the_hub(script: Script) -> None:
    assert script("check", 0, PROMOTE_MODEL="a folder/model") == 0
    assert script.calls == []
    assert script("add", 0, PROMOTE_VERSION="") == 0
    assert script.calls == ["model add a folder/model --version mgeo-c-d-20260202"]
    assert script("check", 0, PROMOTE_VERSION="", PROMOTE_MODEL="./model") == 2


def test_a_candidate_without_a_source_must_be_in_the_store(script: Script) -> None:
    assert script("add", 0) == 0
    assert script.calls == ["model show mgeo-c-d-20260202"]
    assert script("add", 2) == 2


def test_gitlab_gets_a_pipeline_that_promotes_only_where_there_is_a_candidate(
    script: Script,
) -> None:
    child = script.folder / "promotion.yml"
    model = 'a "model"'
    inherited = {"PROMOTE_SET": "alpha.promote=0.01 aa.max=0.02", "MGEO_DEVICE": "cuda:1"}
    assert script("check", PROMOTE_MODEL=model, PROMOTE_CHILD=str(child), **inherited) == 0
    assert yaml.safe_load(child.read_text()) == {
        "include": [{"local": "/deploy/ci/gitlab-promote.yml"}],
        "variables": {
            "PROMOTE_VERSION": "mgeo-c-d-20260202",
            "PROMOTE_MODEL": model,
            # What is set in the project, and not the parent file's defaults.
            **inherited,
        },
    }
    script.hub_has(KNOWN)
    assert script("check", 0, PROMOTE_VERSION="", PROMOTE_CHILD=str(child)) == 0
    document = yaml.safe_load(child.read_text())
    assert document.keys() == {"nothing-new"}, "a manual job would leave the pipeline blocked"
    assert document["nothing-new"].keys() == {"script"}


@pytest.mark.parametrize(("named", "asked"), [("current", ""), ("r-7", "r-7 ")])
def test_a_rollback_that_is_asked_for_by_itself_waits_until_it_is_done(
    script: Script, named: str, asked: str
) -> None:
    assert script("rollback", 0, 0, PROMOTE_ROLLOUT=named) == 0
    assert script.calls[0].startswith(f"rollout rollback {asked}--output json")
    assert script.calls[1].startswith("rollout wait r-1 --until ROLLED_BACK")
    assert script("rollback", 1, PROMOTE_ROLLOUT=named) == 1
    assert len(script.calls) == 3, "what was refused is not waited for"


def test_a_rollback_is_only_done_when_everything_has_returned(script: Script) -> None:
    assert script("rollback", 0, 124, PROMOTE_ROLLOUT="current") == 124


def test_the_rollout_that_runs_is_ended_by_its_id(script: Script) -> None:
    """Once it was obeyed, a second request to end "the one that runs" could mean another one."""
    assert script("abort", 0, 0, PROMOTE_ROLLOUT="current") == 0
    assert script.calls[0] == "rollout status --output json"
    assert script.calls[1].startswith("rollout abort r-9 --output json")
    assert len(script.calls) == 2


def test_ending_a_rollout_that_serves_is_only_done_when_everything_has_returned(
    script: Script,
) -> None:
    back = json.dumps({"rollout_id": "r-7", "phase": "ROLLING_BACK"})

    assert script("abort", 0, 124, PROMOTE_ROLLOUT="r-7", ANSWER=back) == 124
    assert script.calls[0].startswith("rollout abort r-7 ")
    assert script.calls[1].startswith("rollout wait r-7 --until ABORTED ")


@pytest.mark.parametrize(("code", "shown"), [(0, 0), (1, 0), (3, 1), (4, 1), (124, 1)])
def test_github_shows_what_is_neither_success_nor_failure(
    script: Script, code: int, shown: int
) -> None:
    script("shadow", code, GITHUB_ACTIONS="true")
    assert script.printed.count("::warning title=Not done::") == shown
    script("shadow", code)
    assert "::warning" not in script.printed


def test_the_summary_is_put_on_the_merge_request(script: Script) -> None:
    asked: list[tuple[str, str | None, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.path, self.headers["PRIVATE-TOKEN"], parse_qs(body)["body"][0]))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody watches."""

    page = script.folder / "reports" / "shadow" / "report.md"
    page.parent.mkdir(parents=True)
    page.write_text("# 通过\n")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        environment = {
            "CI_API_V4_URL": f"http://127.0.0.1:{server.server_address[1]}/api/v4",
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "3",
            "PROMOTE_GITLAB_TOKEN": "t0ken",
        }
        assert script("comment", **environment) == 0
    assert asked == [("/api/v4/projects/7/merge_requests/3/notes", "t0ken", "# 通过\n")]
    assert script("comment", **environment) == 0, "publishing never decides a job"
    assert "could not be published" in script.said


def test_a_missing_variable_is_named(script: Script) -> None:
    process = script.start("add", 0, PROMOTE_VERSION="")
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 2
    assert "PROMOTE_VERSION is not set" in errors
