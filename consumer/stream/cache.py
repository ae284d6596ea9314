"""Remembers what texts were parsed to, so that repeats cost nothing. Bounded.

The key holds the spec: another model never answers for this one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class InterpretationCache(Generic[Answer]):
    """Least-recently-used, bounded by the characters of its texts.

    Args:
        max_chars: total code points of the remembered texts; 0 switches it off. Memory is
            about 100 bytes per code point, for the components of each text are kept too.
    """

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._chars = 0
        self._entries: OrderedDict[tuple[Hashable, str], Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, model: Hashable, text: str) -> Answer | None:
        """What this model made of this text before, if it is remembered."""
        found = self._entries.get((model, text))
        if found is not None:
            self._entries.move_to_end((model, text))
        return found

    def put(self, model: Hashable, text: str, answer: Answer) -> None:
        """Remember; the least recently used texts make room."""
        if len(text) > self._max_chars or (model, text) in self._entries:
            return
        self._entries[model, text] = answer
        self._chars += len(text)
        while self._chars > self._max_chars:
            (_, old), _ = self._entries.popitem(last=False)
            self._chars -= len(old)
