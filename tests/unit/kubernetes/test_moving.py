"""`mgeo deploy switch` and `switch-back` as they are called, on a cluster that is played."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.errors import UsageError
from deploy.cli.program import build
from deploy.switching import kubectl
from deploy.switching.colours import ADDRESS, COLOUR_LABEL, WAY_BACK, switch, switch_back
from deploy.switching.moving import move


class Played(kubectl.Kubectl):
    """A cluster under an autoscaler: eight pods serve, two are idle.

    The Service leads to the pods of its colour at once.
    """

    def __init__(self, serving: str, sizes: dict[str, int], way_back: str = "") -> None:
        self.sizes = sizes
        self.service: dict[str, Any] = {
            "metadata": {"resourceVersion": "7", "annotations": {WAY_BACK: way_back}},
            "spec": {"selector": {COLOUR_LABEL: serving}},
        }

    @property
    def serving(self) -> str:
        colour: str = self.service["spec"]["selector"][COLOUR_LABEL]
        return colour

    def one(self, kind: str, name: str) -> dict[str, Any]:
        assert (kind, name) == ("service", ADDRESS)
        return self.service

    def many(self, kind: str, selector: str) -> list[dict[str, Any]]:
        if kind == "deployments":
            return [deployment(colour, size) for colour, size in self.sizes.items()]
        pods = [f"{self.serving}-{number}" for number in range(self.sizes[self.serving])]
        if kind == "pods":
            assert selector.endswith(f"{COLOUR_LABEL}={self.serving}")
            return [{"metadata": {"name": pod}} for pod in pods]
        return [{"endpoints": [{"targetRef": {"name": pod}} for pod in pods]}]

    def patch(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        assert (kind, name) == ("service", ADDRESS)
        self.service["spec"]["selector"] |= patch["spec"]["selector"]


def deployment(colour: str, size: int) -> dict[str, Any]:
    return {
        "metadata": {"generation": 1},
        "spec": {
            "replicas": size,
            "template": {
                "metadata": {"labels": {COLOUR_LABEL: colour}},
                "spec": {"containers": [{"image": f"gateway-{colour}:1"}]},
            },
        },
        "status": {
            "observedGeneration": 1,
            "replicas": size,
            "updatedReplicas": size,
            "readyReplicas": size,
        },
    }


def test_a_switch_to_two_pods_where_eight_serve_changes_nothing() -> None:
    cluster = Played("blue", {"blue": 8, "green": 2})

    with pytest.raises(UsageError) as refused:
        move(cluster, lambda now: switch(now, "green"), try_it=False)

    assert (refused.value.code, cluster.serving) == ("colour_too_small", "blue")


def test_a_switch_to_a_colour_that_was_given_pods_goes_through() -> None:
    cluster = Played("blue", {"blue": 8, "green": 8})

    done = move(cluster, lambda now: switch(now, "green"), try_it=False)

    assert (done.serving, done.warning, cluster.serving) == ("green", "", "green")


def test_a_switch_back_to_two_pods_where_eight_serve_goes_through_and_warns() -> None:
    cluster = Played("green", {"blue": 2, "green": 8}, way_back="blue")

    done = move(cluster, switch_back, try_it=False)

    assert (done.serving, cluster.serving) == ("blue", "blue")
    assert "blue has 2 pods where green had 8" in done.warning


@pytest.mark.parametrize("more", [[], ["--smaller"]], ids=["as pipelines call it", "--smaller"])
def test_the_command_goes_back_under_load(monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    cluster = Played("green", {"blue": 2, "green": 8}, way_back="blue")
    monkeypatch.setattr(kubectl, "Kubectl", lambda *_: cluster)

    told = CliRunner().invoke(
        build(), ["deploy", "switch-back", "--untried", "--output", "json", *more]
    )

    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["serving"] == "blue"
    assert "2 pods where green had 8" in told.stderr
    assert cluster.serving == "blue"
