"""Keys: made once, kept private, read strictly."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import UsageError
from deploy.cli.program import build
from rollout.approvals import load_keyring, new_key, sign, write_private_key

TWICE = f"keys: {{a: {'A' * 43}=}}\nkeys: {{a: {'B' * 43}=}}"


def test_keygen_writes_a_private_file_and_prints_the_keyring_entry(tmp_path: Path) -> None:
    file = tmp_path / "alice.pem"

    done = CliRunner().invoke(build(), ["rollout", "keygen", "alice", "--out", str(file)])

    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keyring = tmp_path / "keyring.yaml"
    keyring.write_text(done.stdout)
    assert len(load_keyring(keyring)["alice"]) == 32
    assert "PRIVATE" not in done.stdout
    approval = sign(
        file.read_bytes(),
        key_id="alice",
        cluster="i",
        rollout_id="r",
        decision="sha256:" + "0" * 64,
        expires_at="2027-01-01T00:00:00Z",
    )
    assert len(base64.b64decode(approval.signature)) == 64


def test_a_second_approver_is_added_by_appending_what_keygen_prints(tmp_path: Path) -> None:
    keyring = tmp_path / "keyring.yaml"
    with keyring.open("a") as file:
        for name in ("alice", "bob"):
            arguments = ["rollout", "keygen", name, "--out", str(tmp_path / f"{name}.pem")]
            file.write(CliRunner().invoke(build(), arguments).stdout)

    assert set(load_keyring(keyring)) == {"alice", "bob"}


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    write_private_key(file, b"first")

    with pytest.raises(UsageError) as refused:
        write_private_key(file, b"second")
    assert refused.value.code == "cannot_write"
    assert file.read_bytes() == b"first"


@pytest.mark.parametrize(
    "text",
    ["", "keys: {}", "keys: [a]", "keys: {a: '%%%'}", "keys: {a: YWJj}", "{", "other: 1", TWICE],
)
def test_a_keyring_that_is_not_whole_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keyring.yaml"
    file.write_text(text)

    with pytest.raises(UsageError) as refused:
        load_keyring(file)
    assert refused.value.code == "bad_keyring"
    assert refused.value.hint


def test_a_keyring_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml") as refused:
        load_keyring(tmp_path / "none.yaml")
    assert refused.value.code == "no_file"


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nx\n"])
def test_what_is_no_private_key_is_refused(pem: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        sign(pem, key_id="a", cluster="i", rollout_id="r", decision="d", expires_at="t")
    assert refused.value.code == "bad_key"


def test_two_keys_are_never_the_same() -> None:
    assert new_key() != new_key()
