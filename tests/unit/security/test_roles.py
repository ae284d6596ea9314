"""What each role may do in Kafka is the least, and what it must never do is written down here."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.acls import CLUSTER, Operation, Right, Role, roles
from contracts.topics import TopicNames, standard_topics

NAMES = TopicNames("team.")
ROLES = {role.name: role for role in roles(NAMES)}
OTHER = TopicNames("other.")

prefixes = st.from_regex(r"[a-z0-9._-]{0,20}", fullmatch=True)


def may_write(role: Role, names: TopicNames = NAMES) -> set[str]:
    topics = {spec.name for spec in standard_topics(names)}
    return {
        topic.removeprefix(names.prefix) for topic in topics if role.may("topic", topic, "write")
    }


def may_read(role: Role, names: TopicNames = NAMES) -> set[str]:
    topics = {spec.name for spec in standard_topics(names)}
    return {
        topic.removeprefix(names.prefix) for topic in topics if role.may("topic", topic, "read")
    }


@pytest.mark.parametrize(
    ("role", "writes", "reads"),
    [
        ("publisher", {"address.events"}, set()),
        (
            "file-publisher",
            {"address.events"},
            {"address.events", "address.parsed", "address.dlq"},
        ),
        ("reader", set(), {"address.parsed"}),
        (
            "worker",
            {"address.parsed", "address.dlq", "address.replies"},
            {"address.events", "address.interactive", "mgeo.rollout"},
        ),
        ("shadow", {"address.shadow"}, {"address.events", "mgeo.rollout"}),
        (
            "controller",
            {"mgeo.rollout", "mgeo.rollout.audit"},
            {
                "address.events",
                "address.parsed",
                "address.shadow",
                "mgeo.rollout",
                "mgeo.rollout.requests",
                "mgeo.rollout.audit",
            },
        ),
        (
            "gateway",
            {"address.events", "address.interactive"},
            {"address.replies", "mgeo.rollout"},
        ),
        (
            "operator",
            {"mgeo.rollout.requests"},
            {
                "address.events",
                "address.parsed",
                "address.shadow",
                "mgeo.rollout",
                "mgeo.rollout.requests",
                "mgeo.rollout.audit",
            },
        ),
        (
            "analyst",
            set(),
            {"address.parsed", "address.dlq", "mgeo.rollout", "mgeo.rollout.audit"},
        ),
        ("replayer", {"address.events", "address.interactive"}, {"address.dlq"}),
        ("scaler", set(), set()),
        ("shadow-scaler", set(), {"mgeo.rollout"}),
        ("admin", {"mgeo.rollout"}, {"mgeo.rollout"}),
    ],
)
def test_a_role_writes_and_reads_these_topics_and_no_others(
    role: str, writes: set[str], reads: set[str]
) -> None:
    assert may_write(ROLES[role]) == writes
    assert may_read(ROLES[role]) == reads


def test_all_roles_are_held_to_it() -> None:
    held = {
        one.args[1][index][0]
        for one in vars(test_a_role_writes_and_reads_these_topics_and_no_others)["pytestmark"]
        for index in range(len(one.args[1]))
    }
    assert held == set(ROLES)


def test_only_the_controller_and_the_admin_can_name_the_model_that_serves() -> None:
    writers = {name for name, role in ROLES.items() if "mgeo.rollout" in may_write(role)}
    assert writers == {"controller", "admin"}


def test_only_operators_can_ask_for_a_rollout() -> None:
    askers = {name for name, role in ROLES.items() if "mgeo.rollout.requests" in may_write(role)}
    assert askers == {"operator"}


def test_a_candidate_on_trial_cannot_reach_anybody_downstream() -> None:
    shadow = ROLES["shadow"]
    assert may_write(shadow) == {"address.shadow"}
    assert not shadow.may("group", NAMES.stable_group, "describe")
    worker_id = NAMES.transactional_id("stable", NAMES.events, 0)
    assert not shadow.may("transactional_id", worker_id, "write")


def test_nobody_but_the_admin_has_rights_on_the_cluster() -> None:
    able = {name for name, role in ROLES.items() if role.may("cluster", CLUSTER, "alter")}
    assert able == {"admin"}


def test_lanes_may_use_the_ids_that_they_use_and_not_each_others() -> None:
    for mine, other in (("worker", "shadow"), ("shadow", "worker")):
        kind = {"worker": "stable", "shadow": "shadow"}[mine]
        own = NAMES.transactional_id(kind, NAMES.events, 7)
        assert ROLES[mine].may("transactional_id", own, "write")
        assert not ROLES[other].may("transactional_id", own, "write")


@settings(max_examples=30)
@given(prefixes, prefixes)
def test_rights_under_one_prefix_are_none_under_another(one: str, other: str) -> None:
    """But where one prefix begins with the other, as prefixes of groups and ids then do too."""
    mine, theirs = TopicNames(f"{one}x."), TopicNames(f"{other}y.")
    topics = [spec.name for spec in standard_topics(theirs)]
    for role in roles(mine):
        assert not any(
            role.may("topic", topic, operation)
            for topic in topics
            for operation in ("read", "write", "describe", "create")
        )
        assert not role.may("group", theirs.stable_group, "describe")
        assert not role.may(
            "transactional_id", theirs.transactional_id("stable", theirs.events, 0), "write"
        )


@settings(max_examples=30)
@given(prefixes)
def test_every_topic_has_somebody_who_writes_and_somebody_who_reads(prefix: str) -> None:
    names = TopicNames(prefix)
    every = roles(names)
    topics = {spec.name.removeprefix(prefix) for spec in standard_topics(names)}
    assert set().union(*(may_write(role, names) for role in every)) == topics
    assert set().union(*(may_read(role, names) for role in every)) == topics


@pytest.mark.parametrize("granted", ["read", "write", "alter"])
def test_describing_is_implied_and_nothing_else_is(granted: Operation) -> None:
    right = Right("topic", "t", granted)
    assert right.covers("topic", "t", "describe")
    others: tuple[Operation, ...] = ("read", "write", "alter", "create", "describe_configs")
    assert [one for one in others if right.covers("topic", "t", one)] == [granted]


def test_a_prefix_covers_what_begins_with_it() -> None:
    right = Right("group", "a.", "read", prefixed=True)
    assert right.covers("group", "a.b", "read")
    assert not right.covers("group", "a", "read")
    assert not right.covers("topic", "a.b", "read")
    assert not Right("group", "a.", "read").covers("group", "a.b", "read")
