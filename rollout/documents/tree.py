"""YAML as a tree whose every key and value knows its line. It must never guess what was meant.

Plain scalars are read as JSON would read them (YAML 1.2): `yes` is a text and `010` no octal. What
hides where a value comes from (anchors, aliases, tags, merge keys) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import yaml

from rollout.documents.faults import Problem, Where

MAX_DEPTH: Final = 16
"""Mappings and lists inside one another: a policy needs five."""


@dataclass(slots=True)
class Node:
    """A value: a scalar, a list of nodes, or a mapping of names to nodes."""

    where: Where
    value: Any
    keys: dict[str, Where] = field(default_factory=dict)
    """Of a mapping: where each of its names stands."""

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_document(text: str, source: str, *, fixed: bool = False) -> tuple[Node, list[Problem]]:
    """Read one YAML document.

    Args:
        text: what was written.
        source: file name (or option) that places begin with.
        fixed: every place is the source itself, without lines; for options.

    Returns:
        The tree, as far as it could be read, and what is wrong with it. An empty document is
        an empty mapping.
    """
    reader = _Reader(source, fixed)
    try:
        return reader.read(text), reader.problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reader.problem(mark, f"this is no YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        where = Where(source) if fixed else Where(source, line, column)
        reader.problems.append(Problem(where, "a character that YAML does not allow"))
    except (ValueError, OverflowError):
        # PyYAML's own conversions: \U beyond Unicode, a version of thousands of digits.
        reader.problem(reader.mark, "this is no YAML: a number that stands for nothing")
    return Node(Where(source) if fixed else Where(source, 1, 1), {}), reader.problems


_NULL: Final = frozenset({"", "~", "null"})
_BOOLEANS: Final = {"true": True, "false": False}
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17}|[1-9][0-9]{0,2}(_[0-9]{3}){1,5})", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Mark(Protocol):
    # PyYAML has two classes of marks, its own and libyaml's.
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class _Reader:
    def __init__(self, source: str, fixed: bool) -> None:
        self._source = source
        self._fixed = fixed
        self.problems: list[Problem] = []
        self.mark: _Mark | None = None
        """How far reading has come, for errors that do not say it."""

    def read(self, text: str) -> Node:
        events = self._events(text)
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self.problem(event.start_mark, "a second document; there must be one")
                    return root
                root = self._node(next(events), events, 0)
        if root is None or root.value is None:
            return Node(self._at(None), {})
        return root

    def _events(self, text: str) -> Iterator[Any]:
        loader: Any = yaml.SafeLoader(text)
        try:
            while loader.check_event():
                yield loader.get_event()
        finally:
            self.mark = loader.get_mark()
            loader.dispose()

    def problem(self, mark: _Mark | None, message: str) -> None:
        self.problems.append(Problem(self._at(mark), message))

    def _at(self, mark: _Mark | None) -> Where:
        if self._fixed:
            return Where(self._source)
        if mark is None:
            return Where(self._source, 1, 1)
        return Where(self._source, mark.line + 1, mark.column + 1)

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        where = self._at(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            self.problem(event.start_mark, f"an alias (*{event.anchor}); write the value itself")
            return Node(where, None)
        if event.anchor is not None:
            self.problem(event.start_mark, f"an anchor (&{event.anchor}); write values where used")
        if event.tag is not None:
            self.problem(event.start_mark, f"a tag ({event.tag}); values need none")
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {MAX_DEPTH}", problem_mark=event.start_mark
            )
        if isinstance(event, yaml.ScalarEvent):
            return Node(where, self._scalar(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(where, self._items(events, depth))
        node = Node(where, {})
        self._fill(node, events, depth)
        return node

    def _items(self, events: Iterator[Any], depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return items

    def _fill(self, node: Node, events: Iterator[Any], depth: int) -> None:
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            mark = event.start_mark
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            name = event.value if isinstance(event, yaml.ScalarEvent) else None
            if name is None:
                self.problem(mark, "a key must be a name")
            elif name == "<<" and event.style is None:
                self.problem(mark, "a merge key (<<); write the values themselves")
            elif name in node.keys:
                self.problem(mark, f"`{name}` stands here twice; first at {node.keys[name]}")
            else:
                node.keys[name] = key.where
                node.value[name] = value

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if _SURROGATE.search(text):
            self.problem(event.start_mark, "half of a surrogate pair, which is no character")
            return None
        if event.style is not None:  # quoted or a block: always a text
            return text
        if text in _NULL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text) and not re.fullmatch(r"[-+]?0[0-9]+", text):
            return float(text)
        return text
