"""Rights are compared exactly, and the script says the same as the data."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.acls import roles
from contracts.errors import UsageError
from contracts.topics import TopicNames
from deploy.security.acl_script import acl_script
from deploy.security.grants import Grant, chosen_roles, compare, grants, users_of

ROLES = roles(TopicNames("team."))
EVERY = grants(ROLES, {})

subsets = st.sets(st.sampled_from(EVERY))


@given(subsets, subsets)
def test_what_is_missing_and_what_is_there_make_up_what_is_wanted(
    wanted: set[Grant], found: set[Grant]
) -> None:
    compared = compare(wanted, found)
    assert {*compared.missing, *compared.present} == wanted
    assert not {*compared.missing} & found
    assert {*compared.present} <= found
    assert {*compared.beyond} <= found - wanted
    assert {one.principal for one in compared.beyond} <= {one.principal for one in wanted}
    # Once what is missing is granted, nothing is.
    assert not compare(wanted, found | {*compared.missing}).missing


def test_each_role_has_a_user_of_its_own_where_none_is_given() -> None:
    assert {one.principal for one in EVERY} == {f"User:mgeo-{role.name}" for role in ROLES}


def test_a_user_may_have_several_roles_and_a_role_several_users() -> None:
    users = users_of(["publisher=crm", "reader=crm", "reader=User:bi"], ROLES)
    found = grants(chosen_roles(ROLES, ["publisher", "reader"]), users)
    by_role = {role.name: role.rights for role in ROLES}
    mine = {one.right for one in found if one.principal == "User:crm"}
    assert mine == by_role["publisher"] | by_role["reader"]
    assert {one.right for one in found if one.principal == "User:bi"} == by_role["reader"]


@pytest.mark.parametrize(
    ("given", "code"),
    [("worker", "bad_user"), ("worker=", "bad_user"), ("wroker=x", "unknown_role")],
)
def test_what_names_no_user_of_a_role_is_refused(given: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        users_of([given], ROLES)
    assert caught.value.code == code


def test_the_script_grants_exactly_the_data() -> None:
    """Run with a kafka-acls that only repeats what it is given."""
    shell = shutil.which("sh")
    assert shell is not None
    echo = 'echo_acls() { printf "%s\\n" "$*"; }; KAFKA_ACLS=echo_acls\n'
    ran = subprocess.run(
        [shell, "-c", echo + acl_script(EVERY)],
        env={"BOOTSTRAP": "kafka:9093", "COMMAND_CONFIG": "admin.properties"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = set()
    for line in ran.stdout.splitlines():
        words = line.split()
        assert words[:5] == [
            "--bootstrap-server",
            "kafka:9093",
            "--command-config",
            "admin.properties",
            "--add",
        ]
        operations = [words[i + 1] for i, word in enumerate(words) if word == "--operation"]
        kinds = {"--topic", "--group", "--transactional-id", "--cluster"} & set(words)
        (kind,) = kinds
        name = "kafka-cluster" if kind == "--cluster" else words[words.index(kind) + 1]
        prefixed = words[-2:] == ["--resource-pattern-type", "prefixed"]
        principal = words[words.index("--allow-principal") + 1]
        said |= {(principal, kind, name, prefixed, operation) for operation in operations}
    kind_of = {
        "topic": "--topic",
        "group": "--group",
        "transactional_id": "--transactional-id",
        "cluster": "--cluster",
    }
    assert said == {
        (
            one.principal,
            kind_of[one.right.resource],
            one.right.name,
            one.right.prefixed,
            "".join(part.capitalize() for part in one.right.operation.split("_")),
        )
        for one in EVERY
    }


def test_users_with_strange_names_cannot_break_out_of_the_script() -> None:
    users = {"reader": ["User:CN=a b; rm -rf $HOME 'x'"]}
    script = acl_script(grants(chosen_roles(ROLES, ["reader"]), users))
    lines = [line for line in script.splitlines() if line.startswith("grant ")]
    assert all(shlex.split(line)[2] == users["reader"][0] for line in lines)
