"""Rights as Kafka keeps them: whose, what is missing, what is beyond a role. Pure.

``acl_admin`` asks and grants; ``acl_script`` writes the same for ``kafka-acls``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.acls import Right, Role, role_named
from contracts.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A right that a principal has, from any host."""

    principal: str
    right: Right


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the cluster grants, beside what it should.

    Attributes:
        missing: to be granted.
        present: granted as they should be.
        beyond: granted to one of the principals on something of ours, and needed by none of
            its roles. Nothing here ever takes them away: somebody gave them for a reason.
    """

    missing: tuple[Grant, ...]
    present: tuple[Grant, ...]
    beyond: tuple[Grant, ...]


def grants(roles: Iterable[Role], users: Mapping[str, Sequence[str]]) -> tuple[Grant, ...]:
    """What each user needs for its roles, sorted, each once.

    Args:
        roles: those that are to be granted.
        users: of each role, by its name; a role that is left out has its own user. A user
            without a type is a ``User:``.
    """
    found = {
        Grant(principal(user), right)
        for role in roles
        for user in users.get(role.name, (role.user,))
        for right in role.rights
    }
    return tuple(sorted(found))


def compare(wanted: Iterable[Grant], found: Iterable[Grant]) -> Comparison:
    """Hold what is granted against what should be."""
    wanted, found = set(wanted), set(found)
    principals = {grant.principal for grant in wanted}
    return Comparison(
        missing=tuple(sorted(wanted - found)),
        present=tuple(sorted(wanted & found)),
        beyond=tuple(sorted(grant for grant in found - wanted if grant.principal in principals)),
    )


def chosen_roles(available: Sequence[Role], names: Sequence[str]) -> tuple[Role, ...]:
    """The roles of these names; all of them where none is named.

    Raises:
        UsageError: ``unknown_role``.
    """
    if not names:
        return tuple(available)
    chosen = []
    for name in names:
        role = role_named(name, available)
        if role is None:
            raise UsageError(
                f"there is no role {name!r}",
                code="unknown_role",
                hint="roles: " + ", ".join(one.name for one in available),
            )
        chosen.append(role)
    return tuple(chosen)


def users_of(given: Sequence[str], roles: Sequence[Role]) -> dict[str, list[str]]:
    """Users by role, of arguments like ``worker=etl-1``; a role may be given several.

    Raises:
        UsageError: ``unknown_role`` or ``bad_user``.
    """
    users: dict[str, list[str]] = {}
    for one in given:
        name, equals, user = one.partition("=")
        if not equals or not user or user == "User:":
            raise UsageError(
                f"{one!r} does not name a user of a role",
                code="bad_user",
                hint="write ROLE=USER, as in worker=etl-worker",
            )
        chosen_roles(roles, [name])
        users.setdefault(name, []).append(user)
    return users


def principal(user: str) -> str:
    """How Kafka writes a user: with its type before it."""
    return user if user.startswith("User:") else f"User:{user}"
