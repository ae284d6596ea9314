"""Builds programs from the modules that their makers publish, through the ordinary Go client.

``go install module@version`` refuses a module that replaces others; a module of our own, which
requires the published one and repeats its replacements, does not. Nothing is patched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path


def available() -> bool:
    """Whether Go is on this machine."""
    return shutil.which("go") is not None


def download(module: str, version: str) -> dict[str, str]:
    """Fetch a module; where it lies (``Dir``) and its own ``go.mod`` (``GoMod``)."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", f"{module}@{version}"],
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def write_module(
    folder: Path, module: str, version: str, *, rules: str = "", sums: str = ""
) -> None:
    """A module that requires another one.

    Args:
        folder: where it is to lie.
        rules: further lines of its ``go.mod``.
        sums: what its ``go.sum`` holds; Go adds what it finds missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["module built", "go 1.24.0", rules, f"require {module} {version}"]
    (folder / "go.mod").write_text("\n".join(lines) + "\n", "utf-8")
    with (folder / "go.sum").open("a", encoding="utf-8") as file:
        file.write(sums)


def build(folder: Path, programs: Mapping[str, Path], flags: str = "-s -w") -> None:
    """Build packages of a module that :func:`write_module` wrote, each into its file."""
    for package, target in programs.items():
        print(f"building {target.name} …", flush=True)
        subprocess.run(
            ["go", "build", "-mod=mod", "-trimpath", "-ldflags", flags, "-o", str(target), package],
            cwd=folder,
            env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
            check=True,
        )
