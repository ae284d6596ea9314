"""The page of rights, from ``contracts.acls``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from contracts.acls import RESULT_GROUPS, Resource, Right, Role, roles
from contracts.topics import TopicNames
from deploy.reference.markdown import table

_KINDS: Final[tuple[tuple[Resource, str], ...]] = (
    ("topic", "topics"),
    ("group", "consumer groups"),
    ("transactional_id", "transactional ids"),
    ("cluster", "cluster"),
)


def rights_page() -> str:
    """Every role: its purpose, its user, and all that it may do."""
    every = roles(TopicNames())
    parts = [
        (
            "# Rights in Kafka\n\n"
            "The least that each role needs, on a cluster that grants nothing else. `mgeo topics "
            "acls` prints it, `--apply` grants it, `--script` writes it for `kafka-acls`; how to "
            "set it up is told in [security](../operations/security.md). Every name may have a "
            "prefix (`MGEO_TOPIC_PREFIX`). A name that ends in `*` stands for all that begin "
            "alike. Whoever may read or write may also describe.\n\n"
        ),
        table(
            ("role", "what it does", "user, if no other is named"),
            ((f"[{role.name}](#{role.name})", role.purpose, f"`{role.user}`") for role in every),
        ),
        (
            f"\nConsumer groups of readers begin with `{RESULT_GROUPS}` where rights are kept: "
            f"`mgeo results --group {RESULT_GROUPS}crm`.\n"
        ),
    ]
    parts += [_role(role) for role in every]
    return "".join(parts)


def _role(role: Role) -> str:
    return f"\n## {role.name}\n\n" + table(("on", "may", "names"), _rows(role))


def _rows(role: Role) -> Iterator[tuple[str, str, str]]:
    for kind, title in _KINDS:
        names: dict[str, list[str]] = {}
        for right in sorted(role.rights):
            if right.resource == kind:
                names.setdefault(_shown(right), []).append(right.operation.replace("_", " "))
        by_operations: dict[str, list[str]] = {}
        for name, operations in names.items():
            by_operations.setdefault(", ".join(operations), []).append(name)
        for together, shown in sorted(by_operations.items()):
            yield title, together, ", ".join(f"`{one}`" for one in sorted(shown))


def _shown(right: Right) -> str:
    return f"{right.name}*" if right.prefixed else right.name
