"""`--set gates.exact_match.min=0.97` over a document. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from contracts.policy import Policy
from rollout.documents import Node, Problem, Where, dotted, read_document

_PART: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[[0-9]{1,4}\])*)", re.ASCII)


def override(root: Node, assignment: str) -> list[Problem]:
    """Write one value into the document, in place.

    A list that the file leaves to its default is taken over whole first, so that
    ``canary.steps[0].duration=30s`` changes one step of the default ones.

    Returns:
        What is wrong with the assignment; then the document is as it was.
    """
    name, equals, text = assignment.partition("=")
    where = Where(f"--set {assignment}")
    if not equals:
        return [Problem(where, "write it as name=value, for example gates.exact_match.min=0.97")]
    path = _path(name.strip())
    if path is None:
        return [Problem(where, f"{name.strip()!r} is no name of a field, such as shadow.min_pairs")]
    value, problems = read_document(text, where.source, fixed=True)
    if problems:
        return problems
    if value.value == {} and not text.strip().startswith("{"):
        value = Node(where, None)  # nothing after the equals sign
    return _write(root, path, value)


def _path(name: str) -> list[str | int] | None:
    path: list[str | int] = []
    for part in name.split("."):
        match = _PART.fullmatch(part)
        if match is None:
            return None
        path.append(match[1])
        path.extend(int(index) for index in re.findall(r"\[([0-9]+)\]", match[2]))
    return path


def _write(root: Node, path: Sequence[str | int], value: Node) -> list[Problem]:
    node = root
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(part, int):
            length = len(node.value) if isinstance(node.value, list) else 0
            if part >= length:
                what = dotted(path[:depth])
                return [Problem(value.where, f"`{what}` has {length} items, counted from 0")]
            if last:
                node.value[part] = value
            else:
                node = node.value[part]
            continue
        if not isinstance(node.value, dict):
            what = dotted(path[:depth])
            return [Problem(value.where, f"`{what}` has no fields")]
        if last:
            node.value[part] = value
            node.keys[part] = value.where
        else:
            if part not in node.value:
                node.value[part] = _default(path[: depth + 1], value.where)
                node.keys[part] = value.where
            node = node.value[part]
    return []


def _default(path: Sequence[str | int], where: Where) -> Node:
    """What a path that the file does not name begins as: the default list, or an empty mapping."""
    found: Any = Policy().model_dump(mode="json")
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return _node(found, where) if isinstance(found, list) else Node(where, {})


def _node(value: Any, where: Where) -> Node:
    if isinstance(value, dict):
        inner = {name: _node(one, where) for name, one in value.items()}
        return Node(where, inner, dict.fromkeys(inner, where))
    if isinstance(value, list):
        return Node(where, [_node(one, where) for one in value])
    return Node(where, value)
