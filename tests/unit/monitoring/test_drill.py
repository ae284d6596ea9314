"""Every alert has an act that brings it about, or a reason; what was seen is told rightly."""

from __future__ import annotations

import pytest

from deploy.monitoring.alerts import alert_groups
from deploy.monitoring.drill.acts import ABSENT, ACTS, UNOBTAINABLE, uncovered
from deploy.monitoring.drill.seen import (
    Outcome,
    Played,
    Seen,
    markdown,
    panels_markdown,
    table,
    unmoved,
    with_act,
)
from deploy.monitoring.jobs import JOBS
from deploy.monitoring.panels import DASHBOARDS
from deploy.monitoring.settings import ObjectiveSettings

ALERTS = {alert.name for group in alert_groups(ObjectiveSettings()).values() for alert in group}
PANELS = {
    f"{board.uid}: {panel.title}": panel
    for board in DASHBOARDS
    for row in board.rows
    for panel in row.panels
}


def test_every_alert_is_brought_about_by_an_act_or_said_to_be_out_of_reach() -> None:
    assert uncovered(ALERTS) == []
    played = [name for act in ACTS for name in act.alerts]
    assert set(played) <= ALERTS
    assert len(played) == len(set(played)), "one act each"
    assert not set(played) & set(UNOBTAINABLE)
    assert set(UNOBTAINABLE) <= ALERTS
    assert all(len(reason) > 40 for reason in UNOBTAINABLE.values())


def test_an_alert_without_an_act_would_be_named() -> None:
    assert uncovered({*ALERTS, "MgeoBrandNew"}) == ["MgeoBrandNew"]


def test_every_panel_that_needs_a_fault_or_tls_has_an_act_and_what_needs_hardware_is_listed() -> (
    None
):
    shown = {panel for act in ACTS for panel in act.panels}
    assert shown <= set(PANELS)
    assert set(ABSENT) <= set(PANELS)
    for name, panel in PANELS.items():
        if panel.needs == "gpu":
            assert name in ABSENT
        elif panel.needs is not None:
            assert name in shown, name


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_an_act_starts_what_is_scraped(act) -> None:
    jobs = {job.name for job in JOBS}
    for key in (*act.services, *act.settings):
        assert f"mgeo-{key.partition('-')[0]}" in jobs
    assert act.meaning
    assert act.alerts or act.panels


def test_acts_have_names_of_their_own() -> None:
    assert len({act.name for act in ACTS}) == len(ACTS)


def played(name: str, values: list[float], *, cleared: float | None = 4.0) -> Played:
    return Played(
        name,
        20,
        alerts=[Outcome("MgeoStalled", "nothing is confirmed", 30.4, "it is again", cleared)],
        seen=[Seen("board: Panel", "x", {"quiet": [1.0], "fault": values})],
    )


def test_what_did_not_go_is_not_whole() -> None:
    assert played("a", []).whole
    assert not played("a", [], cleared=None).whole


def test_an_act_that_is_played_again_takes_the_place_of_its_first_time() -> None:
    document = with_act(with_act({}, played("a", [], cleared=None)), played("b", []))
    document = with_act(document, played("a", []))
    assert list(document["acts"]) == ["a", "b"]
    assert document["acts"]["a"]["whole"]
    rows = table(document).splitlines()
    assert len(rows) == 3
    assert rows[1].index("nothing is confirmed") == rows[0].index("cause")
    assert "| `MgeoStalled` | nothing is confirmed | 30 s | it is again | 4 s | 20 |" in markdown(
        document
    )


def test_a_panel_that_is_empty_or_never_changes_within_an_act_is_named() -> None:
    moved = with_act({}, played("a", [2.0]))
    assert unmoved(moved, {}) == []
    # Two systems may differ: that is no change of either.
    still = with_act(with_act({}, played("a", [1.0])), played("b", [1.0]))
    assert unmoved(still, {}) == ["never changes: board: Panel: x"]
    assert unmoved(still, {"board: Panel": "no such hardware"}) == []
    empty = with_act({}, Played("a", 20, seen=[Seen("board: Panel", "x", {"quiet": []})]))
    assert unmoved(empty, {}) == ["empty: board: Panel: x"]


def test_the_page_says_of_every_panel_in_which_act_it_moved() -> None:
    def act(name: str, load: float, fault: float) -> Played:
        seen = [
            Seen("b: Busy", "x", {"quiet": [1.0], "then": [load]}),
            Seen("b: Broken", "y", {"quiet": [], "then": [fault] if fault else []}),
            Seen("b: Never", "z", {"quiet": [1.0], "then": [1.0]}),
            Seen("b: Card", "g", {"quiet": [], "then": []}),
        ]
        return Played(name, 20, seen=seen)

    document = with_act(with_act({}, act("load", 2.0, 0.0)), act("stopped", 3.0, 1.0))
    assert panels_markdown(document, {"b: Card": "there is no such card"}, "load") == (
        "3 expressions: 2 showed something else in a fault than before it, "
        "1 under load than idle.\n\n"
        "- Not under load, but in the act `stopped`: *Broken*.\n"
        "- Not filled or not moved: never changes: b: Never: z.\n"
        "- Not shown here: *Card*: there is no such card.\n"
    )


def test_a_load_that_was_not_played_is_not_told_as_one_that_moved_nothing() -> None:
    said = panels_markdown(with_act({}, played("stopped", [2.0])), {}, "load")
    assert "the act `load` has not been played." in said
    assert "under load" not in said


@pytest.mark.parametrize(
    ("quiet", "fault", "moves"),
    [
        ([1.0], [0.0], True),
        ([], [1.0], True),
        ([1.0], [1.0, 1.0], True),  # a second model is in memory
        ([1.0, 1.0], [], False),  # its process was killed
        ([1.0, 1.0], [1.0], False),
        ([], [0.0], False),  # a rate has its second sample
        ([0.0], [0.0, 0.0], False),
    ],
)
def test_series_that_go_with_their_process_are_no_movement(
    quiet: list[float], fault: list[float], moves: bool
) -> None:
    seen = Seen("board: Panel", "x", {"quiet": quiet, "fault": fault})
    assert (unmoved(with_act({}, Played("a", 20, seen=[seen])), {}) == []) is moves
