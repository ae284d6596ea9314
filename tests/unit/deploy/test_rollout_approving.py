"""Approving from a script: it may be repeated, and what is shown before signing obeys nobody."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.audit import AuditRecord, RequestEntry
from contracts.control import RolloutState
from contracts.decision import DecisionRecord
from contracts.requests import RolloutRequest
from deploy.cli import boundary, exit_codes
from deploy.cli.rollout_approve import _show
from rollout.approvals import new_key, sign
from rollout.controller.timing import stamp
from rollout.standing import standing_of
from tests.properties.rollouts import OTHER, Plane, with_approval

PEM, PUBLIC = new_key()
KEYRING = {"alice": base64.b64decode(PUBLIC)}


@dataclass
class Client:
    """What the command asks of Kafka, answered from a plane in memory."""

    plane: Plane
    refuses: str = ""
    """The code with which the controller answers."""
    meanwhile: Callable[[], object] = lambda: None
    """What happens before it does."""
    asked: list[RolloutRequest] = field(default_factory=list)

    async def state(self) -> RolloutState:
        return self.plane.state

    async def audit(self, rollout_id: str) -> AsyncIterator[AuditRecord]:
        for record in self.plane.audit:
            if record.rollout_id == rollout_id:
                yield record

    async def ask(self, request: RolloutRequest, *, within_s: float) -> RequestEntry:
        self.asked.append(request)
        self.meanwhile()
        accepted = not self.refuses
        if accepted:
            assert approve_by_hand(self.plane) == (True, "")
        return RequestEntry(
            request_id=request.request_id,
            kind=request.kind,
            offset=0,
            accepted=accepted,
            code=self.refuses,
        )


def awaiting() -> Plane:
    plane = Plane(keyring=KEYRING)
    plane.reach("AWAITING_APPROVAL", with_approval())
    return plane


def approve_by_hand(plane: Plane) -> tuple[bool, str]:
    """By the plane's clock, which stands elsewhere than the command's."""
    approval = sign(
        PEM,
        key_id="alice",
        cluster=plane.state.incarnation,
        rollout_id=plane.rollout.rollout_id,
        decision=digest(plane),
        expires_at=stamp(plane.now + timedelta(hours=1)),
    )
    return plane.approve(approval)


def digest(plane: Plane) -> str:
    assert plane.rollout.decision is not None
    return plane.rollout.decision.digest


Approving = Callable[..., int]


@pytest.fixture
def approving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Approving:
    monkeypatch.setenv("MGEO_KAFKA_BOOTSTRAP_SERVERS", "nowhere:9092")
    key = tmp_path / "alice.pem"
    key.write_bytes(PEM)

    def run(client: Client, *more: str) -> int:
        monkeypatch.setattr("deploy.rollouts.rollout_client", lambda _kafka: client)
        return boundary.run(["rollout", "approve", "--key", str(key), "--yes", *more])

    return run


def test_what_waits_is_signed_once(
    approving: Approving, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client(awaiting())
    assert approving(client, "r-1", "--output", "json") == exit_codes.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["accepted"], said["already_so"], said["key_id"]) == (True, False, "alice")
    assert approving(client, "r-1") == exit_codes.OK
    assert "approved already" in capsys.readouterr().out
    assert len(client.asked) == 1


@pytest.mark.parametrize(
    "phase", ["AWAITING_APPROVAL", "STAGING", "CANARY", "CUTTING_OVER", "BAKING", "PROMOTED"]
)
def test_a_repeat_is_told_that_it_was_approved_already(
    phase: str, approving: Approving, capsys: pytest.CaptureFixture[str]
) -> None:
    plane = awaiting()
    assert approve_by_hand(plane) == (True, "")
    plane.reach(phase)
    client = Client(plane)

    named: Sequence[str] = ("r-1", "--decision", digest(plane))
    assert approving(client, *named, "--output", "json") == exit_codes.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["accepted"], said["already_so"]) == (True, True)
    assert (said["decision"], said["key_id"], said["phase"]) == (digest(plane), "alice", phase)
    assert approving(client, *named) == exit_codes.OK
    assert f"approved already with key alice; now {phase}" in capsys.readouterr().out
    assert client.asked == []


def test_a_repeat_of_one_that_a_later_rollout_came_after_reads_the_audit(
    approving: Approving, capsys: pytest.CaptureFixture[str]
) -> None:
    plane = awaiting()
    assert approve_by_hand(plane) == (True, "")
    plane.reach("PROMOTED")
    signed = digest(plane)
    assert plane.start("r-2", candidate=OTHER) == (True, "")

    assert approving(Client(plane), "r-1", "--decision", signed) == exit_codes.OK
    assert "approved already" in capsys.readouterr().out
    other = approving(Client(plane), "r-1", "--decision", "sha256:" + "0" * 64)
    assert other == exit_codes.USAGE


def test_without_an_id_the_decision_says_what_is_meant_after_the_end(approving: Approving) -> None:
    plane = awaiting()
    assert approve_by_hand(plane) == (True, "")
    plane.reach("PROMOTED")
    assert approving(Client(plane), "--decision", digest(plane)) == exit_codes.OK
    assert approving(Client(plane), "--decision", "sha256:" + "0" * 64) == exit_codes.USAGE
    assert approving(Client(plane)) == exit_codes.USAGE, "nothing waits, and nothing is named"


@pytest.mark.parametrize(("verb", "ended"), [("abort", "ABORTED"), ("rollback", "ROLLED_BACK")])
def test_what_was_thrown_out_all_the_same_is_no_success(
    verb: str, ended: str, approving: Approving
) -> None:
    plane = awaiting()
    assert approve_by_hand(plane) == (True, "")
    plane.reach("CANARY")
    assert plane.verb(verb)[0]
    assert approving(Client(plane), "r-1") == exit_codes.FAILED
    plane.reach(ended)
    assert approving(Client(plane), "r-1") == exit_codes.FAILED


def test_another_decision_than_the_approved_one_is_no_success(approving: Approving) -> None:
    plane = awaiting()
    assert approve_by_hand(plane) == (True, "")
    other = "sha256:" + "0" * 64
    assert approving(Client(plane), "r-1", "--decision", other) == exit_codes.USAGE
    plane.reach("CANARY")
    assert approving(Client(plane), "r-1", "--decision", other) == exit_codes.FAILED


def test_whoever_signs_second_in_the_same_moment_is_told_that_it_is_done(
    approving: Approving, capsys: pytest.CaptureFixture[str]
) -> None:
    plane = awaiting()
    client = Client(plane, "approval_replayed", lambda: approve_by_hand(plane))
    assert approving(client, "r-1") == exit_codes.OK
    assert "approved already" in capsys.readouterr().out


def test_a_refused_signature_stays_refused(approving: Approving) -> None:
    client = Client(awaiting(), "approval_unknown_key")
    assert approving(client, "r-1") == exit_codes.FAILED


def test_what_an_approver_reads_does_nothing_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plane = awaiting()
    (record,) = [one.decision for one in plane.audit if one.decision is not None]
    # As a controller before the rule about ids had taken it.
    hidden = DecisionRecord.model_validate({**record, "rollout_id": "r-1\x1b[8m\nsigned: yes"})
    standing = standing_of(plane.state)
    assert standing is not None
    _show(hidden, standing)
    shown = capsys.readouterr().err
    assert shown.splitlines()[0] == "rollout    r-1⟨U+001B⟩[8m signed: yes, try 1"
