"""Installs one layer of the images' environment while they are built, with the base image's Python.

A layer is what an installation added to ``/opt/mgeo``, laid out a second time by itself, so that a
new release of ours moves a few MiB and PyTorch stays where it is. Runs before anything is
installed: it must import the standard library alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import IO

ENVIRONMENT = Path("/opt/mgeo")
TOOLS = Path("/opt/build")
PIP = [sys.executable, "-m", "pip"]

BALLAST = frozenset({"numpy", "scipy", "pyarrow", "torch"})
"""Packages whose own tests and C headers are left out: no program of ours reads them."""

State = dict[str, tuple[int, int]]
"""Path below a folder, and what tells that a file was written anew: its time and size."""


def requirements(project: dict, names: list[str]) -> list[str]:  # type: ignore[type-arg]  # as parsed
    """What ``pyproject.toml`` asks for under these names.

    ``core`` is what every role needs, ``torch`` PyTorch alone; other names are extras.
    """
    extras = project["optional-dependencies"]
    wanted: list[str] = []
    for name in names:
        if name == "core":
            wanted += project["dependencies"]
        elif name == "torch":
            wanted += [line for line in extras["worker"] if line.startswith("torch")]
        else:
            wanted += extras[name]
    return wanted


def state_of(root: Path) -> State:
    """Every file and link below a folder."""
    found: State = {}
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder, name)
            stat = path.lstat()
            found[path.relative_to(root).as_posix()] = (stat.st_mtime_ns, stat.st_size)
    return found


def added(before: State, after: State) -> list[str]:
    """The paths that are new.

    Raises:
        ValueError: something that was there is gone or another: a layer below would be wrong.
    """
    touched = sorted(path for path, state in before.items() if after.get(path) != state)
    if touched:
        raise ValueError(f"an installed package was replaced, see constraints.txt: {touched[:5]}")
    return sorted(after.keys() - before.keys())


def is_ballast(path: str) -> bool:
    """Whether an installed file is a test or a C header of a large package.

    Args:
        path: below the environment, ``lib/python3.11/site-packages/numpy/…``.
    """
    _, found, below = path.partition("/site-packages/")
    package, _, inside = below.partition("/")
    folders = inside.split("/")[:-1]
    return bool(found) and package in BALLAST and bool({"tests", "include"} & set(folders))


def lay_out(paths: list[str], root: Path, layer: Path) -> None:
    """Show these files below ``layer`` as well; on one file system that costs nothing."""
    layer.mkdir(parents=True, exist_ok=True)
    for name in paths:
        source, target = root / name, layer / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
            continue
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copy2(source, target)


def install(names: list[str], index: str) -> None:
    """Run pip for one layer, bound to the exact versions of ``constraints.txt``."""
    inside = [*PIP, "--python", str(ENVIRONMENT / "bin/python"), "install"]
    if names in (["project"], ["checkout"]):
        run([*PIP, "install", "--target", str(TOOLS), *_bound(), "setuptools"])
    if names == ["project"]:
        wheels = TOOLS / "wheels"
        build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
        run([*build, "."], PYTHONPATH=str(TOOLS))
        run([*inside, "--no-deps", *map(str, wheels.iterdir())])
        return
    if names == ["checkout"]:
        editable = [*inside, "--no-deps", "--no-build-isolation", "--editable", "."]
        run(editable, PYTHONPATH=str(TOOLS))
        return
    with Path("pyproject.toml").open("rb") as file:
        wanted = requirements(tomllib.load(file)["project"], names)
    if index:
        # Alone, so that nothing else comes from there; what it needs follows from the usual place.
        run([*inside, "--no-deps", "--index-url", index, *_bound(), *wanted])
    run([*inside, *_bound(), *wanted])


def install_extra(packages: list[str]) -> None:
    """Run pip for packages that are none of ours.

    What is there stays as it is. ``constraints.txt`` would hold them to versions that only our
    tests need, and with those the backend of S3 cannot be installed.
    """
    if not packages:
        return
    inside = [*PIP, "--python", str(ENVIRONMENT / "bin/python")]
    TOOLS.mkdir(parents=True, exist_ok=True)
    there = TOOLS / "installed.txt"
    with there.open("w", encoding="utf-8") as file:
        run([*inside, "list", "--format", "freeze"], to=file)
    run([*inside, "install", "--constraint", str(there), "--root-user-action", "ignore", *packages])


def run(command: list[str], *, to: IO[str] | None = None, **environment: str) -> None:
    """Run a program and leave with its code if it fails."""
    done = subprocess.run(  # noqa: S603 - pip, and arguments of the Dockerfile
        command, env={**os.environ, **environment}, stdout=to, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description="Install one layer of the images' environment.")
    parser.add_argument("layer", type=Path, help="folder that gets what was added")
    parser.add_argument("names", nargs="+", help="core, torch, an extra; or project, or checkout")
    parser.add_argument("--index", default="", help="package index for these packages alone")
    parser.add_argument("--extra", default="", help="packages beside, as pip takes them")
    given = parser.parse_args()
    before = state_of(ENVIRONMENT)
    if not ENVIRONMENT.exists():
        run([sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENT)])
    install(given.names, given.index)
    install_extra(given.extra.split())
    new: list[str] = []
    for name in added(before, state_of(ENVIRONMENT)):
        if is_ballast(name):
            (ENVIRONMENT / name).unlink()
        else:
            new.append(name)
    lay_out(new, ENVIRONMENT, given.layer)
    mib = sum((ENVIRONMENT / name).lstat().st_size for name in new) / 2**20
    print(f"layer {given.layer}: {len(new)} files, {mib:.1f} MiB")


def _bound() -> list[str]:
    return ["--constraint", "constraints.txt", "--root-user-action", "ignore"]


if __name__ == "__main__":
    main()
