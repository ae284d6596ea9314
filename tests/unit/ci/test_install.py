"""What `promote.sh install` installs, and which mgeo the later steps call. A project of one small
script stands in for this one; Python, its virtual environments, pip and git are the real ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipelines import CI

pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH"),
    pytest.mark.timeout(1200),
]

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "mgeo-stream"
version = "1"
"""

BACKEND = '''
"""Builds a wheel with a program `mgeo`, and needs nothing from the network for it."""

import zipfile
from pathlib import Path

INFO = "mgeo_stream-1.dist-info/"
FILES = {
    "stand_in.py": "def main():\\n    print('the mgeo of %s')\\n",
    INFO + "METADATA": "Metadata-Version: 2.1\\nName: mgeo-stream\\nVersion: 1\\n",
    INFO + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    INFO + "entry_points.txt": "[console_scripts]\\nmgeo = stand_in:main\\n",
}


def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "mgeo_stream-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(directory, name), "w") as wheel:
        record = "".join(f"{path},,\\n" for path in [*FILES, INFO + "RECORD"])
        for path, text in {**FILES, INFO + "RECORD": record}.items():
            wheel.writestr(path, text.replace("%s", Path("change").read_text().strip()))
    return name
'''

CHECKOUT = {"PROMOTE_INSTALL": "-c constraints.txt ."}
IMAGE = {"PROMOTE_INSTALL": "mgeo-stream[worker]"}


class Agent:
    """A machine that has an mgeo, and keeps a checkout from build to build."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.programs = folder / "bin"
        self.checkout.mkdir()
        self.programs.mkdir()
        self.write("pyproject.toml", PROJECT)
        self.write("backend.py", BACKEND)
        self.write("constraints.txt", "")
        self.write(".gitignore", "/out/\n/reports/\n")
        mgeo = self.programs / "mgeo"
        mgeo.write_text("#!/bin/sh\necho the mgeo of the machine\n")
        mgeo.chmod(0o755)
        self.git("init", "--quiet")
        self.commit("the first commit")

    def write(self, name: str, text: str) -> None:
        (self.checkout / name).write_text(text)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *arguments], cwd=self.checkout, check=True)

    def commit(self, change: str) -> None:
        self.write("change", change)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", change)

    def __call__(self, step: str, expected: int = 0, **environment: str) -> str:
        """Run a step; what it prints and says."""
        done = subprocess.run(
            [str(CI / "promote.sh"), step],
            cwd=self.checkout,
            env={
                **os.environ,
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "PIP_NO_INDEX": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_every_commit_is_checked_by_its_own_mgeo(agent: Agent) -> None:
    agent("install", **CHECKOUT)
    assert "the mgeo of the first commit" in agent("switch-back", **CHECKOUT)

    agent.commit("the second commit")
    assert "is there already" not in agent("install", **CHECKOUT)
    assert "the mgeo of the second commit" in agent("switch-back", **CHECKOUT)

    (agent.checkout / "backend.py").touch()
    assert "of this commit is there already" in agent("install", **CHECKOUT), "it costs nothing"

    agent.write("change", "an edit")
    agent("install", **CHECKOUT)
    assert "the mgeo of an edit" in agent("switch-back", **CHECKOUT)
    assert "the mgeo of the machine" in agent("switch-back", **IMAGE), "that was not asked for"


def test_an_environment_that_does_not_run_is_made_anew(agent: Agent) -> None:
    half_made = agent.checkout / "out" / "ci-venv" / "bin"
    half_made.mkdir(parents=True)
    (half_made / "python").symlink_to(agent.checkout / "a Python that has gone")

    agent("install", **CHECKOUT)
    assert "the mgeo of the first commit" in agent("switch-back", **CHECKOUT)


def test_where_no_environment_can_be_made_the_reason_is_said(agent: Agent) -> None:
    """Debian's Python has `venv` in a package of its own."""
    python = agent.programs / "python3"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)

    assert "apt-get install python3-venv" in agent("install", expected=2, **CHECKOUT)
    assert not (agent.checkout / "out" / "ci-venv").exists()


def test_the_mgeo_of_an_image_is_taken_where_the_checkout_is_not_named(agent: Agent) -> None:
    assert "the mgeo of the machine is there already" in agent("install", **IMAGE)
    assert not (agent.checkout / "out").exists()
