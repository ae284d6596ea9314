"""Times of a rollout: what its timers count. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contracts.rollout import Rollout

_ZERO = timedelta(0)


def stamp(now: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime | None:
    """The moment that a text names, None when it names none; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def since(text: str | None, now: datetime) -> timedelta:
    """Time since then, never negative: the clock of another controller may have been ahead."""
    then = moment(text) if text else None
    return _ZERO if then is None else max(_ZERO, now - then)


def in_phase(rollout: Rollout, now: datetime) -> timedelta:
    """Time in the present phase or step, pauses not counted."""
    pause = since(rollout.paused_since, now) + timedelta(milliseconds=rollout.paused_ms)
    return max(_ZERO, since(rollout.phase_since, now) - pause)


def gathering_ms(rollout: Rollout, now: datetime) -> int:
    """Milliseconds since shadowing began, pauses not counted; never less than at the last cut."""
    if rollout.shadowing_since is None:
        return 0
    pause = since(rollout.paused_since, now)
    total = since(rollout.shadowing_since, now) - pause
    counted = round(total.total_seconds() * 1000) - rollout.shadowing_paused_ms
    return max(counted, 0 if rollout.cut is None else rollout.cut.elapsed_ms)


def milliseconds(duration: timedelta) -> int:
    """Whole milliseconds of a duration."""
    return round(duration.total_seconds() * 1000)
