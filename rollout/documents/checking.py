"""Holds a document to a pydantic model and says, for each fault, where it stands and what to write.

Types are not bent: a number in quotes is a text, and 1.0 is no whole number.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from rollout.documents.faults import Problem, Where
from rollout.documents.tree import Node

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


def check(model: type[Model], node: Node) -> tuple[Model | None, list[Problem]]:
    """The value that the document stands for, or everything that is wrong with it."""
    try:
        # Through JSON, because only there pydantic is strict and still takes a list for a tuple.
        text = json.dumps(node.plain())
        return model.model_validate_json(text, strict=True), []
    except ValidationError as error:
        return None, _problems(model, node, error)


def dotted(location: Iterable[str | int]) -> str:
    """A place inside a document as people write it: ``canary.steps[0].share``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that proposes a known name for an unknown one."""
    names = list(known)
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if found:
        return f"did you mean `{found[0]}`?"
    return f"known here: {', '.join(names)}" if names else "no names are known here"


def names_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The names that a mapping at this place may have; none where it is no mapping."""
    current: type[BaseModel] | None = model
    for part in location:
        if current is None:
            return []
        if isinstance(part, int):  # inside a list of sections: already at the element's model
            continue
        found = current.model_fields.get(part)
        current = None if found is None else _section(found.annotation)
    return [] if current is None else list(current.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if (found := _section(inner)) is not None:
            return found
    return None


def _problems(model: type[BaseModel], root: Node, error: ValidationError) -> list[Problem]:
    found: dict[tuple[Where, Location], list[str]] = {}
    for detail in error.errors(include_url=False):
        location, node, key = _place(root, detail["loc"])
        kind = detail["type"]
        if kind == "extra_forbidden":
            *parent, name = location
            where = key or node.where
            message = f"unknown name `{dotted(location)}`; "
            message += nearest(str(name), names_at(model, parent))
        elif kind == "missing":
            where = node.where
            message = f"`{dotted(location)}` lacks `{detail['loc'][-1]}`"
        else:
            where = node.where
            message = _sentence(kind, detail["msg"], detail.get("ctx", {}), node)
            if location:
                message = f"`{dotted(location)}` {message}"
        messages = found.setdefault((where, location), [])
        if message not in messages:
            messages.append(message)
    return [
        Problem(where, _joined(messages, location)) for (where, location), messages in found.items()
    ]


def _joined(messages: list[str], location: Location) -> str:
    # The alternatives of a union are faults of their own to pydantic; to people they are one.
    name = f"`{dotted(location)}` "
    first, *others = messages
    alternatives = " or ".join(
        text.removeprefix(name).removeprefix("must be ").partition(", not ")[0] for text in others
    )
    return f"{first.partition(', not ')[0]} or {alternatives}" if alternatives else first


def _place(root: Node, loc: Location) -> tuple[Location, Node, Where | None]:
    """The part of ``loc`` that exists in the document, its node, and where its key stands."""
    node, key, walked = root, None, []
    for part in loc:
        if isinstance(node.value, dict) and isinstance(part, str) and part in node.value:
            key, node = node.keys[part], node.value[part]
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            key, node = None, node.value[part]
        else:  # a missing name, or the name of a union's member
            break
        walked.append(part)
    return tuple(walked), node, key


def _sentence(kind: str, text: str, context: Mapping[str, Any], node: Node) -> str:
    shown = _shown(node.value)
    bounds = {
        "greater_than": ("gt", "above"),
        "greater_than_equal": ("ge", "at least"),
        "less_than": ("lt", "below"),
        "less_than_equal": ("le", "at most"),
    }
    if kind in bounds:
        name, word = bounds[kind]
        return f"must be {word} {context[name]}, not {shown}"
    wanted = {
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "string_type": "a text",
        "tuple_type": "a list",
        "model_type": "a mapping of names to values",
        "model_attributes_type": "a mapping of names to values",
    }
    if kind in wanted:
        return f"must be {wanted[kind]}, not {shown}"
    if kind == "literal_error":
        return f"must be {context['expected']}, not {shown}"
    if kind == "value_error":
        return f"is wrong: {context['error']}"
    return f"is wrong: {text}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        short = value if len(value) <= 40 else value[:40] + "…"
        return f"the text {short!r}"
    return str(value).lower() if isinstance(value, bool) else str(value)
