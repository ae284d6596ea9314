"""The same rights as a script for Kafka's own ``kafka-acls``, for who grants with that. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Final

from contracts.acls import Right
from deploy.security.grants import Grant

_OPTIONS: Final = {
    "topic": "--topic",
    "group": "--group",
    "transactional_id": "--transactional-id",
    "cluster": "--cluster",
}

_HEAD: Final = """\
#!/bin/sh
# Grants each user the rights of its role, and nothing else. Safe to repeat.
# KAFKA_ACLS: the program. BOOTSTRAP: host:port. COMMAND_CONFIG: a client configuration of an
# administrator (security.protocol, sasl.*, ssl.*).
set -eu
KAFKA_ACLS=${KAFKA_ACLS:-kafka-acls.sh}

grant() {
  "$KAFKA_ACLS" --bootstrap-server "$BOOTSTRAP" --command-config "$COMMAND_CONFIG" --add "$@"
}
"""


def acl_script(grants: Iterable[Grant]) -> str:
    """A POSIX shell script: one command for each principal and resource."""
    together: dict[tuple[str, str, str, bool], list[str]] = {}
    for grant in sorted(grants):
        right = grant.right
        key = (grant.principal, right.resource, right.name, right.prefixed)
        together.setdefault(key, []).append(operation_name(right))
    lines = []
    for (principal, resource, name, prefixed), operations in together.items():
        words = ["grant", "--allow-principal", principal]
        for operation in operations:
            words += ["--operation", operation]
        words.append(_OPTIONS[resource])
        if resource != "cluster":  # there is but one, and the tool takes no name for it
            words.append(name)
        if prefixed:
            words += ["--resource-pattern-type", "prefixed"]
        lines.append(shlex.join(words))
    return _HEAD + "\n" + "\n".join(lines) + "\n"


def operation_name(right: Right) -> str:
    """The operation as Kafka's tools write it: ``describe_configs`` → ``DescribeConfigs``."""
    return "".join(part.capitalize() for part in right.operation.split("_"))
