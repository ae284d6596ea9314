"""What goes into which layer of the images."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import IO

import pytest

from deploy.image import install
from deploy.image.install import added, is_ballast, lay_out, requirements, state_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def test_torch_is_a_layer_of_its_own(project: dict[str, object]) -> None:
    (torch,) = requirements(project, ["torch"])
    assert torch.startswith("torch")
    assert torch in requirements(project, ["worker"])
    assert not [line for line in requirements(project, ["core", "otel"]) if "torch" in line]


def test_the_layers_of_a_worker_hold_all_that_a_worker_needs(project: dict[str, object]) -> None:
    extras = project["optional-dependencies"]
    needed = {*project["dependencies"], *extras["worker"], *extras["otel"]}
    assert set(requirements(project, ["core", "otel", "torch", "worker"])) == needed


def test_what_builds_our_own_package_has_an_exact_version() -> None:
    assert "\nsetuptools==" in (ROOT / "constraints.txt").read_text("utf-8")


def test_a_layer_holds_what_was_added_and_nothing_else(tmp_path: Path) -> None:
    root, layer = tmp_path / "root", tmp_path / "layer"
    (root / "bin").mkdir(parents=True)
    (root / "bin/python").write_text("python")
    before = state_of(root)
    (root / "lib").mkdir()
    (root / "lib/new.py").write_text("new = 1")
    (root / "bin/python3").symlink_to("python")

    lay_out(added(before, state_of(root)), root, layer)

    assert sorted(state_of(layer)) == ["bin/python3", "lib/new.py"]
    assert (layer / "bin/python3").readlink() == Path("python")
    assert (layer / "lib/new.py").read_text() == "new = 1"


@pytest.mark.parametrize("spoil", ["another content", None])
def test_a_layer_that_would_change_one_below_is_refused(tmp_path: Path, spoil: str | None) -> None:
    (tmp_path / "package.py").write_text("as installed")
    before = state_of(tmp_path)
    if spoil is None:
        (tmp_path / "package.py").unlink()
    else:
        (tmp_path / "package.py").write_text(spoil)
    with pytest.raises(ValueError, match=r"package\.py"):
        added(before, state_of(tmp_path))


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("lib/python3.11/site-packages/scipy/stats/tests/test_stats.py", True),
        ("lib/python3.11/site-packages/torch/include/ATen/ATen.h", True),
        ("lib/python3.11/site-packages/numpy/testing/__init__.py", False),
        ("lib/python3.11/site-packages/torch/testing/_comparison.py", False),
        ("lib/python3.11/site-packages/aiokafka/tests/__init__.py", False),
        ("include/site/python3.11/greenlet/greenlet.h", False),
    ],
)
def test_only_tests_and_headers_of_large_packages_are_left_out(path: str, left_out: bool) -> None:
    assert is_ballast(path) is left_out


def test_packages_beside_leave_what_is_there_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], *, to: IO[str] | None = None) -> None:
        ran.append(command)
        if to is not None:
            to.write("fsspec==2026.2.0\n")

    monkeypatch.setattr(install, "TOOLS", tmp_path)
    monkeypatch.setattr(install, "run", run)

    install.install_extra([])
    assert ran == []

    install.install_extra(["s3fs", "gcsfs"])
    bound = ran[-1][ran[-1].index("--constraint") + 1]
    assert Path(bound).read_text("utf-8") == "fsspec==2026.2.0\n"
    assert ran[-1][-2:] == ["s3fs", "gcsfs"]
