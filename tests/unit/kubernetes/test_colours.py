"""Which colour serves, where a switch may go, and what it would change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import MgeoError, UsageError
from deploy.switching.colours import (
    COLOURS,
    TAKEN_BACK,
    WAY_BACK,
    Colour,
    Standing,
    check,
    patch,
    reached,
    standing_of,
    switch,
    switch_back,
)
from deploy.switching.kubectl import failure


def colour(name: str, *, ready: int = 2, wanted: int = 2) -> Colour:
    return Colour(
        name=name,
        image=f"gateway:{name}",
        wanted=wanted,
        ready=ready,
        updated=wanted,
        there=wanted,
        seen=True,
    )


def standing(serving: str = "blue", **changes: Any) -> Standing:
    both = {name: colour(name) for name in COLOURS}
    start = Standing(serving, both, resource_version="7", way_back="", taken_back="")
    return replace(start, **changes)


def service(serving: str, notes: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": "7", **({"annotations": notes} if notes else {})},
        "spec": {"selector": {"version": serving}},
    }


def applied(before: Standing, change: dict[str, Any]) -> Standing:
    """What the cluster would say after a merge patch."""
    notes = {WAY_BACK: before.way_back, TAKEN_BACK: before.taken_back}
    notes = {name: text for name, text in notes.items() if text}
    for name, text in change["metadata"]["annotations"].items():
        notes.pop(name, None)
        if text is not None:
            notes[name] = text
    after = standing_of(service(change["spec"]["selector"]["version"], notes), ())
    return replace(after, colours=before.colours)


def test_a_switch_goes_to_the_colour_that_is_named_and_leaves_a_way_back() -> None:
    before = standing("blue")
    wanted = switch(before, "green")
    assert wanted is not None

    after = applied(before, patch(before, wanted))

    assert (after.serving, after.way_back, after.taken_back) == ("green", "blue", "")


def test_a_switch_to_who_serves_already_changes_nothing() -> None:
    assert switch(standing("green"), "green") is None


def test_a_switch_names_what_it_has_seen_so_that_of_two_at_once_one_is_refused() -> None:
    before = standing("blue")
    wanted = switch(before, "green")
    assert wanted is not None

    assert patch(before, wanted)["metadata"]["resourceVersion"] == before.resource_version


def test_there_is_no_third_colour() -> None:
    with pytest.raises(UsageError) as refused:
        switch(standing(), "red")

    assert refused.value.code == "unknown_colour"


def test_a_switch_back_that_is_repeated_does_not_go_forward_again() -> None:
    before = standing("green", way_back="blue")
    back = switch_back(before)
    assert back is not None
    after = applied(before, patch(before, back))

    assert (after.serving, after.taken_back) == ("blue", "green")
    assert switch_back(after) is None


def test_without_a_switch_there_is_no_colour_before() -> None:
    with pytest.raises(UsageError) as refused:
        switch_back(standing())

    assert refused.value.code == "no_colour_before"


@given(st.lists(st.sampled_from([*COLOURS, "back"]), max_size=12))
def test_a_switch_back_always_returns_to_the_colour_before_the_last_switch(
    steps: list[str],
) -> None:
    now, before_last = standing("blue"), ""
    for step in steps:
        try:
            wanted = switch_back(now) if step == "back" else switch(now, step)
        except UsageError:
            assert step == "back"
            assert not before_last
            continue
        if step == "back" and before_last:
            assert wanted is not None
            assert wanted.target == before_last
        if wanted is None:
            continue
        before_last = "" if step == "back" else now.serving
        now = applied(now, patch(now, wanted))
        assert now.serving in COLOURS


@pytest.mark.parametrize(
    ("green", "code"),
    [
        (None, "colour_missing"),
        (colour("green", wanted=0, ready=0), "colour_not_ready"),
        (colour("green", ready=1), "colour_not_ready"),
        (replace(colour("green"), seen=False), "colour_not_ready"),
        (replace(colour("green"), updated=1), "colour_not_ready"),
        (replace(colour("green"), there=3), "colour_not_ready"),
        (colour("green", wanted=1, ready=1), "colour_too_small"),
    ],
)
def test_a_colour_that_cannot_carry_the_callers_is_refused(green: Colour | None, code: str) -> None:
    both = {"blue": colour("blue")} | ({} if green is None else {"green": green})
    before = standing(colours=both)
    wanted = switch(before, "green")
    assert wanted is not None

    with pytest.raises(UsageError) as refused:
        check(before, wanted)

    assert refused.value.code == code


def under_load(serving: str, **changes: Any) -> Standing:
    """As an autoscaler leaves it: eight pods where the callers are, two where they are not."""
    sizes = {name: 8 if name == serving else 2 for name in COLOURS}
    both = {name: colour(name, ready=size, wanted=size) for name, size in sizes.items()}
    return standing(serving, colours=both, **changes)


def test_a_switch_to_a_colour_that_is_too_small_says_how_it_gets_pods() -> None:
    """`kubectl scale` alone would be undone: an idle colour is held at its autoscaler's least."""
    before = under_load("blue")
    wanted = switch(before, "green")
    assert wanted is not None

    with pytest.raises(UsageError) as refused:
        check(before, wanted)

    assert refused.value.code == "colour_too_small"
    assert "kubectl patch hpa mgeo-gateway-green" in refused.value.hint
    assert '{"spec":{"minReplicas":8}}' in refused.value.hint


def test_a_smaller_colour_is_taken_when_that_is_meant() -> None:
    before = under_load("blue")
    wanted = switch(before, "green")
    assert wanted is not None

    assert "green has 2 pods where blue had 8" in check(before, wanted, smaller=True)


def test_the_way_back_is_never_refused_for_its_size() -> None:
    before = under_load("green", way_back="blue")
    wanted = switch_back(before)
    assert wanted is not None

    assert "blue has 2 pods where green had 8" in check(before, wanted)


def test_the_way_back_must_be_ready_all_the_same() -> None:
    before = under_load("green", way_back="blue")
    none = replace(before, colours={**before.colours, "blue": colour("blue", wanted=0, ready=0)})
    wanted = switch_back(none)
    assert wanted is not None

    with pytest.raises(UsageError) as refused:
        check(none, wanted)

    assert refused.value.code == "colour_not_ready"


def test_a_colour_that_is_as_large_is_no_matter_for_a_warning() -> None:
    before = standing()
    wanted = switch(before, "green")
    assert wanted is not None

    assert check(before, wanted) == ""


def test_a_colour_is_read_from_what_the_api_says() -> None:
    deployment = {
        "metadata": {"generation": 3},
        "spec": {
            "replicas": 2,
            "template": {
                "metadata": {"labels": {"version": "green"}},
                "spec": {"containers": [{"image": "gateway:0.2.0"}]},
            },
        },
        "status": {
            "observedGeneration": 3,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
        },
    }

    found = standing_of(service("blue"), [deployment]).colours["green"]

    assert (found.image, found.missing) == ("gateway:0.2.0", "")


def test_a_service_that_chooses_no_colour_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        standing_of(service(""), ())

    assert refused.value.code == "no_colour"


def test_callers_have_arrived_when_only_the_new_pods_are_behind_the_address() -> None:
    def endpoint(pod: str, *, ready: bool = True) -> dict[str, Any]:
        return {"targetRef": {"name": pod}, "conditions": {"ready": ready}}

    slices = [
        {"endpoints": [endpoint("green-1"), endpoint("blue-1")]},
        {"endpoints": [endpoint("green-2"), endpoint("green-3", ready=False)]},
        {"endpoints": None},
    ]

    assert reached(slices, ["green-1", "green-2", "green-3"]) == (2, 1)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("The connection to the server localhost:8080 was refused", "cluster_unreachable"),
        (
            'Error from server (Forbidden): services "mgeo-gateway" is forbidden',
            "cluster_forbidden",
        ),
        (
            "Error from server (Conflict): the object has been modified; please apply your changes",
            "switched_meanwhile",
        ),
        ('error: context "x" does not exist', "kubectl_failed"),
        ("", "kubectl_failed"),
    ],
)
def test_what_kubectl_says_becomes_one_clear_sentence(said: str, code: str) -> None:
    noise = 'E1126 01:50:11.443257 4092 memcache.go:265] "Unhandled Error" err="again"\n'

    found = failure(noise + said if said else said)

    assert isinstance(found, MgeoError)
    assert found.code == code
    assert "memcache" not in str(found)
    assert found.hint
