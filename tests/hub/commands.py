"""`mgeo model` in a test's own process, with a store of its own, beside a hub on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.cli.boundary import run
from tests.hub.publishing import point_at, publish_tiny
from tests.hub.stand_in import StandInHub

Mgeo = Callable[..., tuple[int, str, str]]
"""Runs one command: exit code, standard output, standard error."""


def model_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Mgeo:
    """Run `mgeo model` with these arguments."""
    monkeypatch.setenv("MGEO_MODEL_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MGEO_MODEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MGEO_DEVICE", "cpu")

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(["model", *arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@contextmanager
def hub_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """A hub that the commands ask, with one revision of one model, v1.0.0."""
    with StandInHub(tmp_path / "hub") as running:
        point_at(running, monkeypatch)
        publish_tiny(running, "v1.0.0", seed=1)
        yield running
