"""`mgeo up --secure` and what its documentation says one can do with it, as a person would."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import psutil
import pytest

from tests.brokers.program import Program

pytestmark = [pytest.mark.broker, pytest.mark.fault]  # a minute and a half


def variables(file: Path) -> dict[str, str]:
    """What `set -a; . FILE` would put into the environment."""
    lines = [line.partition("=") for line in file.read_text(encoding="utf-8").splitlines()]
    return {name: "".join(shlex.split(value)) for name, _, value in lines}


def test_the_secured_stack_from_up_to_wipe(mgeo: Program) -> None:
    up = mgeo("up", "--secure", "--port", "0", "--output", "json")
    assert up.code == 0, up.err
    security = mgeo.state_dir / "security"
    passwords = [one.read_text() for one in security.glob("users/*/password")]
    assert len(set(passwords)) == len(passwords) > 10
    secrets = [*security.glob("**/password"), *security.glob("**/*.key"), security / "broker.pem"]
    assert [one for one in secrets if one.stat().st_mode & 0o077] == []
    assert security.stat().st_mode & 0o077 == 0

    # Neither the process table nor any file outside the folder has a password.
    command = " ".join(psutil.Process(up.json["pid"]).cmdline())
    told = command + up.out + up.err
    for file in mgeo.state_dir.glob("*"):
        if file.is_file():
            told += file.read_text(errors="replace")
    assert [one for one in passwords if one in told] == []

    # The super user's way, which commands take by themselves.
    create = mgeo("topics", "create", "--partitions", "1", "--topics-only")
    assert create.code == 0, create.err
    assert mgeo("topics", "acls", "--check").code == 1
    assert mgeo("topics", "acls", "--apply").code == 0
    again = mgeo("topics", "acls", "--check", "--output", "json")
    assert (again.code, again.json["missing"]) == (0, [])
    kafka = [one for one in mgeo("doctor", "--output", "json").json if one["name"] == "Kafka"]
    assert [one["status"] for one in kafka] == ["ok"]

    # Another user, by its file: it may do its work and nothing else.
    publisher = variables(security / "users" / "mgeo-publisher" / "kafka.env")
    assert not any(one in json.dumps(publisher) for one in passwords)
    file = mgeo.state_dir.parent / "addresses.txt"
    file.write_text("北京市海淀区中关村大街1号\n", encoding="utf-8")
    published = mgeo("publish", str(file), **publisher)
    assert published.code == 0, published.err
    refused = mgeo("results", **publisher)
    assert refused.code == 2
    assert refused.err.startswith("Error: the user mgeo-publisher has no right in Kafka")

    # Up again is the same broker; down and up is the same users.
    assert not mgeo("up", "--output", "json").json["started"]
    assert mgeo("down").code == 0
    anew = mgeo("up", "--port", "0", "--output", "json")
    assert anew.code == 0, anew.err
    assert anew.json["environment"]
    # Elsewhere now, perhaps; the files say where.
    publisher = variables(security / "users" / "mgeo-publisher" / "kafka.env")
    assert publisher["MGEO_KAFKA_BOOTSTRAP_SERVERS"] == anew.json["bootstrap_servers"]
    assert mgeo("publish", str(file), "--again", **publisher).code == 0
    assert mgeo("down", "--wipe").code == 0
    assert not security.exists()


def test_data_without_users_are_not_started_with_security(mgeo: Program) -> None:
    assert mgeo("up", "--port", "0").code == 0
    running = mgeo("up", "--secure")
    assert running.code == 0
    assert "runs without security" in running.err
    assert mgeo("down").code == 0
    refused = mgeo("up", "--secure", "--port", "0")
    assert refused.code != 0
    assert "made without security" in refused.err
    assert "mgeo down --wipe" in refused.err
