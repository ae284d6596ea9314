"""Which jars the broker is made of, and getting exactly those onto this machine.

jars.json pins name and digest of each; a file that differs is never put on a classpath.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from filelock import FileLock

from deploy.errors import JarsUnavailableError, JarsUntrustedError

Progress = Callable[[int, int], None]
"""Called with (jars done, jars in all)."""

DOWNLOAD_THREADS = 4
LOCK_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar: its Maven coordinates and the digest of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @classmethod
    def parse(cls, coordinates: str, sha256: str) -> Jar:
        """Read Maven's ``group:artifact:version``."""
        group, artifact, version = coordinates.split(":")
        return cls(group, artifact, version, sha256)

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True, slots=True)
class JarSet:
    """The broker's version and every jar on its classpath, in order."""

    kafka_version: str
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        """One digest over all jars: a cache key for what is derived from them."""
        text = "\n".join(jar.sha256 for jar in self.jars)
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def pinned() -> JarSet:
    """Read the jar set that this version of the project runs."""
    text = resources.files("deploy.local").joinpath("jars.json").read_text(encoding="utf-8")
    document = json.loads(text)
    return JarSet(
        document["kafka_version"],
        tuple(Jar.parse(entry["maven"], entry["sha256"]) for entry in document["jars"]),
    )


def jar_dir(cache_dir: Path, jar_set: JarSet) -> Path:
    """Folder that holds one complete jar set; its name changes with any digest."""
    return cache_dir / "jars" / f"kafka-{jar_set.kafka_version}-{jar_set.digest[:12]}"


def verify(folder: Path, jars: Sequence[Jar]) -> list[Path]:
    """Return the classpath in `folder`, having read and checked every byte of it.

    Raises JarsUntrustedError, naming the file, when one is missing or differs from its pin.
    """
    paths = []
    for jar in jars:
        path = folder / jar.filename
        hint = f"Remove the folder {folder} and run the command again to download it afresh."
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise JarsUntrustedError(f"The broker's jar {path} is missing.", hint=hint) from None
        if found != jar.sha256:
            raise JarsUntrustedError(
                f"The broker's jar {path} is not the one this version was tested with: "
                f"expected sha256 {jar.sha256}, found {found}.",
                hint=hint,
            )
        paths.append(path)
    return paths


def classpath(
    cache_dir: Path,
    *,
    repository: str | None = None,
    progress: Progress | None = None,
    jar_set: JarSet | None = None,
) -> list[Path]:
    """Return the verified classpath, downloading the jars first if they are not there.

    Safe to call from several processes at once: one downloads, the others wait. A download that
    is interrupted leaves nothing behind that looks complete.
    Raises JarsUnavailableError (no network) or JarsUntrustedError (a digest differs).
    """
    jar_set = jar_set or pinned()
    folder = jar_dir(cache_dir, jar_set)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock", timeout=LOCK_TIMEOUT_S):
            if not folder.is_dir():
                _download(folder, jar_set.jars, repository, progress)
    return verify(folder, jar_set.jars)


def _download(
    folder: Path, jars: Sequence[Jar], repository: str | None, progress: Progress | None
) -> None:
    prefix = f".{folder.name}-fetch-"
    for leftover in folder.parent.glob(f"{prefix}*"):  # of a download that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        complete = staging / "jars"
        complete.mkdir()
        fetch = _fetcher(staging / "maven", repository)
        with ThreadPoolExecutor(DOWNLOAD_THREADS) as pool:
            for done, (jar, path) in enumerate(zip(jars, pool.map(fetch, jars), strict=True), 1):
                shutil.move(path, complete / jar.filename)
                if progress is not None:
                    progress(done, len(jars))
        verify(complete, jars)
        complete.replace(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetcher(repo_cache: Path, repository: str | None) -> Callable[[Jar], Path]:
    try:
        from jgo.maven import MavenContext
    except ImportError:
        raise JarsUnavailableError(
            "The local broker needs the package jgo to download Kafka, and it is not installed.",
            hint="Install it with: pip install 'mgeo-stream[local]'",
        ) from None

    logging.getLogger("jgo").setLevel(logging.ERROR)
    remotes = {"mirror": repository.rstrip("/")} if repository else None
    # A cache of our own: the user's Maven cache may hold a half-written file of the same name.
    context = MavenContext(repo_cache=repo_cache, remote_repos=remotes, timeout=30)

    def fetch(jar: Jar) -> Path:
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        try:
            return Path(component.artifact().resolve())
        except Exception as error:  # jgo raises whatever requests, sockets or the disk raise
            raise JarsUnavailableError(
                f"Could not download {jar.filename}: {type(error).__name__}: {error}",
                hint="Check the network and run the command again; set MGEO_MAVEN_REPOSITORY to "
                "use a Maven mirror that this machine reaches.",
            ) from error

    return fetch
