"""A part that has gone for a moment keeps nobody out; one that stays away does."""

from __future__ import annotations

from producer.gateway.presence import Presence


def presence() -> Presence:
    return Presence({"producer": 3.0, "workers": 20.0}, "backend_unreachable")


def test_a_part_that_was_never_there_is_missing_at_once() -> None:
    seen = presence()
    assert seen.missing(0.0) == "backend_unreachable"
    seen.good("producer", 0.0)
    assert seen.missing(0.0) == "backend_unreachable"
    seen.good("workers", 0.0)
    assert seen.missing(1e9) is None


def test_one_that_has_gone_is_missing_after_its_own_time() -> None:
    seen = presence()
    for part in ("producer", "workers"):
        seen.good(part, 100.0)
    seen.gone("workers", "request_timed_out")
    assert seen.missing(119.9) is None
    assert seen.missing(120.0) == "request_timed_out"
    seen.gone("producer", "backend_unreachable")
    assert seen.missing(102.9) is None
    assert seen.missing(103.0) == "backend_unreachable"


def test_one_that_comes_back_in_time_was_never_missed() -> None:
    seen = presence()
    seen.good("producer", 0.0)
    seen.good("workers", 0.0)
    assert seen.gone("producer", "backend_unreachable") == ""
    assert seen.gone("producer", "no_topic") == "backend_unreachable"
    assert not seen.good("producer", 2.0)
    assert seen.good("producer", 2.5)
    assert seen.missing(50.0) is None
