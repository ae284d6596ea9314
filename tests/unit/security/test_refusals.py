"""Each way of being refused is one sentence with a code and a way out; an absence is none."""

from __future__ import annotations

import ssl

import pytest
from aiokafka import errors as kafka_errors
from aiokafka.errors import KafkaConnectionError

from contracts.access import AccessRefusedError, not_authorized, refusal
from contracts.settings import KafkaSettings

USER = KafkaSettings(kafka_sasl_username="etl")


def distrust(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (kafka_errors.SaslAuthenticationFailed("…"), "authentication_failed", "etl"),
        (kafka_errors.UnsupportedSaslMechanismError("…"), "sasl_refused", "mechanism"),
        (kafka_errors.IllegalSaslStateError("…"), "sasl_refused", "listener"),
        (kafka_errors.TopicAuthorizationFailedError("a.b"), "not_authorized", "topic a.b"),
        (kafka_errors.TopicAuthorizationFailedError({"b", "a"}), "not_authorized", "topic a, b"),
        (kafka_errors.GroupAuthorizationFailedError("g"), "not_authorized", "consumer group g"),
        (
            kafka_errors.TransactionalIdAuthorizationFailed("t"),
            "not_authorized",
            "transactional id t",
        ),
        (kafka_errors.ClusterAuthorizationFailedError(), "not_authorized", "cluster"),
        (distrust(10), "tls_expired", "has expired"),
        (distrust(9), "tls_expired", "not in force yet"),
        (distrust(62), "tls_wrong_host", "another host name"),
        (distrust(64), "tls_wrong_host", "another host name"),
        (distrust(19), "tls_untrusted", "not signed by"),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "tls_client_refused", "certificate"),
        (alert("SSLV3_ALERT_BAD_CERTIFICATE"), "tls_client_refused", "certificate"),
        (alert("TLSV1_ALERT_UNKNOWN_CA"), "tls_client_refused", "certificate"),
        (alert("WRONG_VERSION_NUMBER"), "tls_mismatch", "does not speak TLS"),
    ],
)
def test_a_refusal_says_what_and_what_to_do(error: Exception, code: str, said: str) -> None:
    found = refusal(error, USER)
    assert found is not None
    assert (found.code, bool(found.hint)) == (code, True)
    assert said in str(found)
    # aiokafka wraps the first cause; it must be found inside.
    outer = KafkaConnectionError("closed")
    outer.__cause__ = error
    wrapped = refusal(outer, USER)
    assert wrapped is not None
    assert wrapped.code == code


@pytest.mark.parametrize(
    "error",
    [
        KafkaConnectionError("Unable to bootstrap"),
        ConnectionRefusedError(),
        TimeoutError(),
        kafka_errors.NotLeaderForPartitionError(),
        ssl.SSLEOFError(8, "EOF occurred"),
        ValueError(),
    ],
)
def test_an_absence_is_not_a_refusal(error: Exception) -> None:
    assert refusal(error, USER) is None


def test_a_refusal_of_ours_stays_what_it_is() -> None:
    first = not_authorized("topic", "t")
    assert refusal(first) is first


def test_errors_that_cause_each_other_are_no_endless_loop() -> None:
    one, other = KafkaConnectionError("a"), KafkaConnectionError("b")
    one.__cause__, other.__cause__ = other, one
    assert refusal(one) is None


def test_whoever_has_no_name_is_not_given_one() -> None:
    assert str(not_authorized("topic", "t")).startswith("this user")
    assert isinstance(not_authorized("cluster", ""), AccessRefusedError)
    assert "  " not in str(not_authorized("cluster", ""))
