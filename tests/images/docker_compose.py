"""Docker's own Compose where no Docker is: ``python -m tests.images.docker_compose`` builds it."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import platformdirs

from tests import go_programs

MODULE = "github.com/docker/compose/v2"
VERSION = "v2.24.7"  # of the time of podman 4.3, whose socket speaks version 1.41 of Docker's API

BUILT = platformdirs.user_cache_path("mgeo-stream") / "compose" / "docker-compose"
"""Of whoever imports this: a test's own environment names another cache."""


def program() -> Path | None:
    """The program on PATH, or the one that was built; None where neither is."""
    found = shutil.which("docker-compose")
    if found:
        return Path(found)
    return BUILT if BUILT.is_file() else None


def build() -> None:
    """Build it where it is missing: some ten minutes on two busy cores."""
    if program() is not None:
        return
    if not go_programs.available():
        sys.exit("Go is needed to build Docker's Compose (https://go.dev/doc/install)")
    source = Path(go_programs.download(MODULE, VERSION)["Dir"])
    file = (source / "go.mod").read_text("utf-8")
    blocks = re.findall(r"^(?:require|replace) \(.*?^\)", file, re.DOTALL | re.MULTILINE)
    # Not every replacement that they take is known to the database of checksums.
    sums = (source / "go.sum").read_text("utf-8")
    folder = BUILT.parent / "src"
    go_programs.write_module(folder, MODULE, VERSION, rules="\n".join(blocks), sums=sums)
    stamp = f"-s -w -X {MODULE}/internal.Version={VERSION}"
    go_programs.build(folder, {f"{MODULE}/cmd": BUILT}, flags=stamp)


if __name__ == "__main__":
    build()
    print(program())
