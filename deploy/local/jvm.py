"""The command line that starts the broker's JVM, and its class archive (AppCDS).

The archive halves the start; everything works without it. It is written when a broker that had
none stops in good order, and its name holds all that it depends on, so a stale one is never read.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.java import Java

MAIN_BROKER = "kafka.Kafka"
MAIN_STORAGE = "kafka.tools.StorageTool"


def base_flags(java: Java, heap_mib: int) -> list[str]:
    """JVM flags for a small, quick broker on a shared machine."""
    flags = [
        f"-Xmx{heap_mib}m",
        "-XX:+UseSerialGC",  # the parallel collectors start a thread per core and take more memory
        "-XX:TieredStopAtLevel=1",  # the first compiler only: half the start, enough speed here
        "-XX:+ExitOnOutOfMemoryError",  # a broker without memory must end, not limp
        "-Djava.awt.headless=true",
        "-Xlog:disable",  # the JVM's own warnings about archives are no concern of the reader
        "-Xlog:all=error:stderr",
    ]
    return flags + quiet_flags(java)


def quiet_flags(java: Java) -> list[str]:
    """Flags without which newer JVMs print a page of warnings about Kafka's native libraries.

    An archive is only read under the flags that it was written under.
    """
    if java.major < 24:
        return []
    return ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]


def own_base_archive(cache_dir: Path, java: Java) -> Path | None:
    """The archive of Java's own classes, made once (1 s), for a JVM that comes without one.

    pip's JVM does, to be a smaller download. None when the JVM has its own, or cannot write one.
    """
    home = java.path.resolve().parent.parent
    if any(home.glob("lib/server/classes*.jsa")):
        return None
    key = hashlib.sha256(_identity(java).encode()).hexdigest()[:16]
    target = cache_dir / "cds" / f"base-{key}.jsa"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        scratch = Path(folder) / target.name
        subprocess.run(  # noqa: S603 - the java that was found, and our own arguments
            [
                str(java.path),
                "-XX:+UseSerialGC",
                *quiet_flags(java),
                "-Xshare:dump",
                f"-XX:SharedArchiveFile={scratch}",
            ],
            capture_output=True,
            timeout=120,
            check=False,
        )
        if not scratch.is_file():
            return None
        scratch.replace(target)
    return target


def _identity(java: Java) -> str:
    """Changes with whatever makes an archive unreadable, a runtime made anew at its place too."""
    path = java.path.resolve()
    modules = path.parent.parent / "lib" / "modules"
    made = modules.stat().st_mtime_ns if modules.is_file() else 0
    return f"{java.banner}\n{path}@{made}"


@dataclass(frozen=True, slots=True)
class ClassArchive:
    """Where the archive for one classpath, JVM and set of flags lives.

    ``base`` is the archive of Java's own classes below it, where that is not the JVM's own.
    """

    path: Path
    base: Path | None = None

    @classmethod
    def of(
        cls, cache_dir: Path, java: Java, classpath: Sequence[Path], jar_digest: str, heap_mib: int
    ) -> ClassArchive:
        """Name the archive after everything that would make the JVM reject it.

        The JVM compares the classpath's paths and the jars' times, so both are in the name.
        """
        stamp = [f"{path}@{path.stat().st_mtime_ns}" for path in classpath]
        parts = [_identity(java), jar_digest, str(heap_mib), *stamp]
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        return cls(cache_dir / "cds" / f"{key}.jsa", own_base_archive(cache_dir, java))

    def flags(self, scratch: Path) -> list[str]:
        """Flags that use the archive, or that write a new one to `scratch` when the JVM ends."""
        if self.path.is_file():
            layers = [str(layer) for layer in (self.base, self.path) if layer is not None]
            return [f"-XX:SharedArchiveFile={os.pathsep.join(layers)}"]
        below = [f"-XX:SharedArchiveFile={self.base}"] if self.base is not None else []
        return [*below, f"-XX:ArchiveClassesAtExit={scratch}"]

    def adopt(self, scratch: Path) -> bool:
        """Move a freshly written archive into place; false when none was written."""
        if not scratch.is_file():
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch.replace(self.path)
        return True


def command(
    java: Java,
    flags: Sequence[str],
    classpath: Sequence[Path],
    main: str,
    arguments: Sequence[str],
) -> list[str]:
    """The whole command line, with each jar named: an archive does not survive a `*`."""
    return [
        str(java.path),
        *flags,
        "-cp",
        os.pathsep.join(str(path) for path in classpath),
        main,
        *arguments,
    ]
