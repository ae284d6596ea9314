"""How often a worker may be thrown out of its group before it gives up. Pure."""

from __future__ import annotations

from collections import deque

from contracts.errors import FatalError


class RejoinBudget:
    """Counts rejoins within a window of time.

    Args:
        most: rejoins that are still borne within the window.
        window_s: its length in seconds.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._times: deque[float] = deque()

    def spend(self, now: float) -> float:
        """One more rejoin at ``now`` (monotonic seconds).

        Returns:
            Seconds to wait before it: longer the more often it happened.

        Raises:
            FatalError: ``too_many_rejoins``.
        """
        while self._times and now - self._times[0] > self._window_s:
            self._times.popleft()
        self._times.append(now)
        if len(self._times) > self._most:
            raise FatalError(
                f"left the group {len(self._times)} times in {self._window_s:.0f} s",
                code="too_many_rejoins",
                hint="is another worker using the same topic prefix, or the broker overloaded?",
            )
        return min(0.2 * 1.6 ** (len(self._times) - 1), 10.0)
