"""Settings come from the environment, and secrets stay inside."""

from __future__ import annotations

import ssl

import pytest
from pydantic import ValidationError

from contracts.settings import KafkaSettings, client_options


def test_the_environment_sets_and_an_empty_variable_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MGEO_KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9093,kafka-2:9093")
    monkeypatch.setenv("MGEO_KAFKA_SECURITY_PROTOCOL", "")

    settings = KafkaSettings()

    assert settings.kafka_bootstrap_servers == "kafka-1:9093,kafka-2:9093"
    assert settings.kafka_security_protocol == "PLAINTEXT"


def test_the_password_reaches_the_client_and_no_print() -> None:
    settings = KafkaSettings.model_validate(
        {
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_username": "worker",
            "kafka_sasl_password": "canary-password",
        }
    )

    options = client_options(settings)

    assert options["sasl_plain_password"] == "canary-password"  # noqa: S105  (made up here)
    assert isinstance(options["ssl_context"], ssl.SSLContext)
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "canary" not in shown


def test_without_security_nothing_of_it_is_passed_on() -> None:
    assert set(client_options(KafkaSettings())) == {"bootstrap_servers", "security_protocol"}


def test_a_prefix_stands_before_every_name() -> None:
    names = KafkaSettings(topic_prefix="team-a.").names

    every = [
        names.events,
        names.parsed,
        names.dead_letters,
        names.shadow,
        names.control,
        names.requests,
        names.audit,
        names.stable_group,
        names.controller_group,
        names.shadow_group("r-1"),
        names.transactional_id("stable", names.events, 3),
    ]
    assert all(name.startswith("team-a.") for name in every)
    assert len(set(every)) == len(every)


def test_one_partition_has_one_transactional_id_whoever_owns_it() -> None:
    one, other = KafkaSettings().names, KafkaSettings().names

    assert one.transactional_id("stable", one.events, 3) == other.transactional_id(
        "stable", other.events, 3
    )
    ids = {
        one.transactional_id(role, one.events, partition)
        for role in ("stable", "shadow")
        for partition in range(20)
    }
    assert len(ids) == 40


@pytest.mark.parametrize("prefix", ["with space", "a/b", "é", "x" * 101])
def test_a_prefix_that_kafka_would_refuse_is_refused_here(prefix: str) -> None:
    with pytest.raises(ValidationError):
        KafkaSettings(topic_prefix=prefix)
