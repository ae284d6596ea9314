"""Which of the gateway's parts are there, and when one that has gone keeps requests out. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping


class Presence:
    """Parts that come and go, each with a time for which it may be away unnoticed.

    Args:
        grace_s: seconds by part; one that was never there has none.
        code: of a part that was never there.
    """

    def __init__(self, grace_s: Mapping[str, float], code: str) -> None:
        self._grace_s = dict(grace_s)
        self._codes = dict.fromkeys(grace_s, code)
        self._good_at = dict.fromkeys(grace_s, -math.inf)

    def good(self, part: str, now: float) -> bool:
        """The part works at ``now``, in seconds of any clock that only grows; False: it did not."""
        was_good = not self._codes[part]
        self._codes[part] = ""
        self._good_at[part] = now
        return was_good

    def gone(self, part: str, code: str) -> str:
        """The part does not work; the code that it had before, empty where it worked."""
        before = self._codes[part]
        self._codes[part] = code
        return before

    def missing(self, now: float) -> str | None:
        """The code of a part that has been away for longer than it may; None when there is none."""
        for part, code in self._codes.items():
            if code and now - self._good_at[part] >= self._grace_s[part]:
                return code
        return None
