"""What each role may do in Kafka, as data: the least that its work needs. Pure.

Nothing else in the project says who may what: the command that grants, the script for
``kafka-acls``, the table in the docs and the tests that try what is forbidden follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from contracts.topics import TopicNames

Resource = Literal["topic", "group", "transactional_id", "cluster"]
Operation = Literal["read", "write", "create", "alter", "describe", "describe_configs"]

CLUSTER: Final = "kafka-cluster"
"""Kafka's one name for the cluster as a resource."""

RESULT_GROUPS: Final = "results."
"""How the consumer groups of readers begin where rights are kept: ``--group results.crm``."""

_IMPLIED: Final[Mapping[Operation, frozenset[Operation]]] = MappingProxyType(
    {"describe": frozenset({"read", "write", "alter"})}
)
"""What Kafka takes for granted where one of the others was granted."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One thing that somebody may do.

    Attributes:
        resource: of what kind.
        name: of it, or how its names begin.
        operation: what may be done.
        prefixed: whether ``name`` is only how names begin.
    """

    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False

    def covers(self, resource: Resource, name: str, operation: Operation) -> bool:
        """Whether Kafka would allow this because of this right."""
        if resource != self.resource:
            return False
        if not (name.startswith(self.name) if self.prefixed else name == self.name):
            return False
        return operation == self.operation or self.operation in _IMPLIED.get(operation, ())


@dataclass(frozen=True, slots=True)
class Role:
    """A component, or a person's task, with a user of its own.

    Attributes:
        name: of the role; its user is ``mgeo-<name>`` where no other is given.
        purpose: what it does, for people.
        rights: all that it may do.
    """

    name: str
    purpose: str
    rights: frozenset[Right]

    def may(self, resource: Resource, name: str, operation: Operation) -> bool:
        """Whether it may do this."""
        return any(right.covers(resource, name, operation) for right in self.rights)

    @property
    def user(self) -> str:
        """The user that stands for it by default."""
        return f"mgeo-{self.name}"


def roles(names: TopicNames) -> tuple[Role, ...]:
    """Every role, with its rights under one prefix.

    ``describe`` stands alone only where neither reading nor writing is granted, which imply it.
    Idempotent writing needs no right of its own since Kafka 2.8: any topic's ``write`` will do.
    """
    stable, controller = names.stable_group, names.controller_group
    shadow_groups = names.shadow_group("")
    writer = names.transactional_id("controller", names.control, 0)
    replay = f"{names.prefix}mgeo.dlq.replay"
    every_topic = (
        *names.inputs,
        names.parsed,
        names.replies,
        names.dead_letters,
        names.shadow,
        names.control,
        names.requests,
        names.audit,
    )
    return (
        Role(
            "publisher",
            "publishes addresses; reads none",
            _topics("write", names.events)
            # A file's run notes where the results of it will begin.
            | _topics("describe", names.parsed, names.dead_letters),
        ),
        Role(
            "file-publisher",
            "publishes files, goes on with an interrupted run, and waits for the results",
            _topics("write", names.events)
            | _topics("read", names.events, names.parsed, names.dead_letters),
        ),
        Role(
            "reader",
            "reads results",
            _topics("read", names.parsed)
            | _prefixed("group", f"{names.prefix}{RESULT_GROUPS}", "read"),
        ),
        Role(
            "worker",
            "stable worker: parses the inputs, writes results, dead letters and replies",
            _topics("read", *names.inputs, names.control)
            | _topics("write", names.parsed, names.dead_letters, names.replies)
            | _topics(
                "describe_configs",
                *names.inputs,
                names.parsed,
                names.dead_letters,
                names.replies,
                names.control,
            )
            | _one("group", stable, "read")
            | _prefixed("transactional_id", _lanes(names, "stable"), "write"),
        ),
        Role(
            "shadow",
            "shadow worker: runs a candidate beside production; writes evidence alone",
            _topics("read", names.events, names.control)
            | _topics("write", names.shadow)
            | _topics("describe_configs", names.events, names.shadow, names.control)
            | _prefixed("group", shadow_groups, "read")
            | _prefixed("transactional_id", _lanes(names, "shadow"), "write"),
        ),
        Role(
            "controller",
            "judges evidence and moves rollouts; the only one that says which model serves",
            _topics(
                "read",
                names.events,
                names.parsed,
                names.shadow,
                names.requests,
                names.control,
                names.audit,
            )
            | _topics("write", names.control, names.audit)
            | _topics("describe", names.interactive)
            | _topics("describe_configs", names.events, names.parsed, names.shadow)
            | _one("group", controller, "read")
            | _one("group", stable, "describe")
            | _prefixed("group", shadow_groups, "describe")
            | _one("transactional_id", writer, "write"),
        ),
        Role(
            "gateway",
            "HTTP: publishes what callers send and gives them the replies",
            _topics("write", *names.inputs)
            | _topics("read", names.replies, names.control)
            | _one("group", stable, "describe"),
        ),
        Role(
            "operator",
            "starts, approves, stops and reports rollouts: people and pipelines",
            _topics(
                "read",
                names.events,
                names.parsed,
                names.shadow,
                names.control,
                names.requests,
                names.audit,
            )
            | _topics("write", names.requests)
            | _topics("describe", names.interactive)
            | _topics("describe_configs", names.shadow)
            | _one("group", stable, "describe")
            | _one("group", controller, "describe")
            | _prefixed("group", shadow_groups, "describe"),
        ),
        Role(
            "analyst",
            "reads results, dead letters and history for figures and reports",
            _topics("read", names.parsed, names.dead_letters, names.control, names.audit),
        ),
        Role(
            "replayer",
            "lists dead letters and sends them back to the inputs",
            _topics("read", names.dead_letters)
            | _topics("write", *names.inputs)
            | _one("group", replay, "read")
            | _one("transactional_id", replay, "write"),
        ),
        Role(
            "scaler",
            "looks at the lag of the stable workers, to scale them; reads no record",
            _topics("describe", *names.inputs) | _one("group", stable, "describe"),
        ),
        Role(
            "shadow-scaler",
            "gives the shadow workers their number by the rollout's phase",
            _topics("read", names.control),
        ),
        Role(
            "admin",
            "makes and checks the topics, names the first model, grants rights",
            _topics("create", *every_topic)
            | _topics("describe", *every_topic)
            | _topics("describe_configs", *every_topic)
            | _topics("read", names.control)
            | _topics("write", names.control)
            | _one("group", stable, "describe")
            | _one("group", controller, "describe")
            | _one("transactional_id", writer, "write")
            | _one("cluster", CLUSTER, "alter"),
        ),
    )


def _lanes(names: TopicNames, role: str) -> str:
    """How the transactional ids of a role's lanes begin."""
    return names.transactional_id(role, "", 0).removesuffix(".0")


def _topics(operation: Operation, *topics: str) -> frozenset[Right]:
    return frozenset(Right("topic", topic, operation) for topic in topics)


def _one(resource: Resource, name: str, operation: Operation) -> frozenset[Right]:
    return frozenset({Right(resource, name, operation)})


def _prefixed(resource: Resource, name: str, operation: Operation) -> frozenset[Right]:
    return frozenset({Right(resource, name, operation, prefixed=True)})


def role_named(name: str, available: Iterable[Role]) -> Role | None:
    """The role of this name."""
    return next((role for role in available if role.name == name), None)
