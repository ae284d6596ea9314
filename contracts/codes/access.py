"""Codes of being let into Kafka: credentials, certificates, rights."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "authentication_failed",
        ("usage",),
        "Kafka refused the password, or knows no such user.",
        "Check MGEO_KAFKA_SASL_USERNAME, MGEO_KAFKA_SASL_PASSWORD or their _FILE, and "
        "MGEO_KAFKA_SASL_MECHANISM: a user has a password for each mechanism.",
    ),
    CodeSpec(
        "sasl_refused",
        ("usage",),
        "Kafka’s listener at this port wants a user where none is given, takes none, or does not "
        "offer this SASL mechanism.",
        "Set MGEO_KAFKA_SECURITY_PROTOCOL and MGEO_KAFKA_SASL_MECHANISM as the listener has them.",
    ),
    CodeSpec(
        "tls_mismatch",
        ("usage",),
        "One side speaks TLS at this port and the other does not.",
        "Use the port of the listener that is meant, or set MGEO_KAFKA_SECURITY_PROTOCOL as it "
        "has it.",
    ),
    CodeSpec(
        "tls_untrusted",
        ("usage",),
        "The certificate that Kafka shows is not signed by an authority that is trusted here.",
        "Set MGEO_KAFKA_SSL_CA_FILE to the PEM file of the brokers’ authority.",
    ),
    CodeSpec(
        "tls_wrong_host",
        ("usage",),
        "The certificate that Kafka shows was made for another host name.",
        "Name the brokers as their certificates do, or add the name to the certificates. Host "
        "names are always checked.",
    ),
    CodeSpec(
        "tls_expired",
        ("usage",),
        "The certificate that Kafka shows, or its authority’s, has expired or is not in force yet.",
        "Renew the brokers’ certificates, and check this machine’s clock.",
    ),
    CodeSpec(
        "tls_client_refused",
        ("usage",),
        "Kafka does not accept this client’s certificate, or wants one and got none.",
        "Set MGEO_KAFKA_SSL_CERTIFICATE_FILE and MGEO_KAFKA_SSL_KEY_FILE to one that is in force "
        "and signed by an authority that the brokers trust.",
    ),
    CodeSpec(
        "not_authorized",
        ("usage",),
        "This user has no right in Kafka to use a topic, group, transactional id or the cluster.",
        "mgeo topics acls prints the rights of each role, and grants them with --apply.",
    ),
    CodeSpec(
        "unknown_role",
        ("usage",),
        "There is no role of this name whose rights could be shown or granted.",
        "Name one of those that the message lists.",
    ),
    CodeSpec(
        "bad_user",
        ("usage",),
        "--user does not name a role and its user.",
        "Write ROLE=USER, as in worker=etl-worker.",
    ),
    CodeSpec(
        "credentials_missing",
        ("usage",),
        "The security protocol needs a user name, a password or a certificate, and none is set.",
        "Set the variable that the message names, or the one with _FILE.",
    ),
    CodeSpec(
        "credentials_twice",
        ("usage",),
        "A secret is set both as a variable and as a file.",
        "Unset one of them.",
    ),
    CodeSpec(
        "secret_unreadable",
        ("usage",),
        "The file of a secret is missing, not readable, empty, or no text.",
        "Check the path, how the secret is mounted, and who may read it.",
    ),
    CodeSpec(
        "certificate_unreadable",
        ("usage",),
        "A file of certificates or the key beside it cannot be loaded.",
        "It must be PEM, readable by this user; key and certificate must belong together.",
    ),
)
