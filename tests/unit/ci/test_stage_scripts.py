"""What bench.sh and image.sh make of their variables; programs that note how they were called
stand in for mgeo, docker and buildah.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.pipelines import CI

STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
[ "$1" != login ] || cat >>"$CALLS"
exit "${CODE:-0}"
"""


class Stage:
    """A folder with the programs that a script may find."""

    def __init__(self, folder: Path, *programs: str) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in programs:
            (self.bin / name).write_text(STAND_IN)
            (self.bin / name).chmod(0o755)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def __call__(self, script: str, *arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(CI / script), *arguments],
            cwd=self.folder,
            # Nothing but the stand-ins and what every system has.
            env={"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": os.environ["HOME"]}
            | {"CALLS": str(self.folder / "calls")}
            | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.returncode, done.stdout + done.stderr


def test_the_benchmark_is_held_against_the_baseline(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "mgeo")
    (tmp_path / "baseline.json").write_text("{}")
    variables = {"BENCH_BASELINE": "baseline.json", "BENCH_MAX_REGRESSION": "0.3"}
    for code in (0, 1, 4):
        assert stage("bench.sh", CODE=str(code), **variables)[0] == code
    assert set(stage.calls) == {
        (
            "mgeo bench --quick --only throughput --model starter --json reports/bench.json "
            "--against baseline.json --max-regression 0.3"
        )
    }


def test_without_a_baseline_figures_are_kept_and_nothing_has_passed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "mgeo")
    code, printed = stage("bench.sh", BENCH_MODEL="mgeo-base-v1-20230815")
    assert code == 4
    assert "nothing was compared. Commit reports/bench.json there" in printed
    assert stage.calls == [
        (
            "mgeo bench --quick --only throughput --model mgeo-base-v1-20230815 "
            "--json reports/bench.json"
        )
    ]
    assert stage("bench.sh", CODE="70")[0] == 70


def test_the_benchmark_finds_what_make_setup_has_made(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "mgeo")
    (tmp_path / ".venv").mkdir()
    stage.bin.rename(tmp_path / ".venv" / "bin")
    assert stage("bench.sh")[0] == 4
    assert stage.calls[0].startswith("mgeo bench")


def test_every_image_is_built_and_pushed_under_one_tag(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "docker")
    variables = {"IMAGE_REGISTRY": "ghcr.io/Acme/Stream", "IMAGE_TAG": "1.2"}
    login = {"IMAGE_USER": "ci", "IMAGE_PASSWORD": "s3cret"}
    code, printed = stage("image.sh", "push", **variables, **login)
    assert code == 0, printed
    assert stage.calls[:2] == ["docker login --username ci --password-stdin ghcr.io", "s3cret"]
    built = [call for call in stage.calls if call.startswith("docker build")]
    pushed = [call for call in stage.calls if call.startswith("docker push")]
    names = [f"ghcr.io/acme/stream/{role}:1.2" for role in ("worker", "gateway", "controller")]
    assert [call.split("--tag ")[1].split()[0] for call in built] == names
    assert [call.split("--target ")[1].split()[0] for call in built] == [
        "worker",
        "gateway",
        "controller",
    ]
    assert all("--build-arg VERSION=1.2" in call for call in built)
    assert pushed == [f"docker push {name}" for name in names]
    assert "s3cret" not in printed


def test_a_build_alone_pushes_nothing_and_needs_no_login(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "buildah")
    code, _ = stage(
        "image.sh",
        "build",
        IMAGE_REGISTRY="r",
        IMAGE_TAG="1",
        IMAGE_TARGETS="gateway",
        IMAGE_TOOL="buildah",
        IMAGE_ARGS="--isolation chroot",
        IMAGE_USER="ci",
    )
    assert code == 0
    [call] = stage.calls
    assert call.startswith("buildah build --isolation chroot --format docker --target gateway ")


def test_a_build_that_fails_is_not_pushed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "docker")
    assert stage("image.sh", "push", CODE="9", IMAGE_REGISTRY="r", IMAGE_TAG="1")[0] == 9
    assert not [call for call in stage.calls if "push" in call]


@pytest.mark.parametrize("arguments", [("build",), ("deploy",), ()])
def test_what_is_not_said_is_asked_for(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    stage = Stage(tmp_path, "docker")
    known = {"IMAGE_REGISTRY": "r"} if arguments != ("build",) else {}
    assert stage("image.sh", *arguments, **known)[0] == 2
    assert stage.calls == []
