"""Getting the broker's jars: only the pinned bytes, once, whole or not at all.

A small repository on this machine stands in for Maven's.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.errors import JarsUnavailableError, JarsUntrustedError
from deploy.local.jars import Jar, JarSet, classpath, jar_dir, pinned, verify

CONTENTS = {"alpha": b"first jar", "beta": b"second jar"}


class Repository:
    """A Maven repository with two small jars that counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        for name, content in CONTENTS.items():
            self.write(name, content)

        class Handler(SimpleHTTPRequestHandler):
            def log_message(handler, *_: object) -> None:  # noqa: N805 - `self` is the repository
                self.requests.append(handler.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    def write(self, name: str, content: bytes) -> None:
        target = self.folder / "org/example" / name / "1.0" / f"{name}-1.0.jar"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def fetches(self, name: str) -> int:
        return sum(path.endswith(f"{name}-1.0.jar") for path in self.requests)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    served = Repository(tmp_path / "repository")
    yield served
    served.server.shutdown()
    served.server.server_close()


JARS = JarSet(
    "0.0",
    tuple(
        Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest())
        for name, content in CONTENTS.items()
    ),
)


def test_jars_are_downloaded_once_and_then_found(tmp_path: Path, repository: Repository) -> None:
    for _ in range(2):
        paths = classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)
        assert [path.read_bytes() for path in paths] == list(CONTENTS.values())
    assert repository.fetches("alpha") == 1


def test_concurrent_callers_share_one_download(tmp_path: Path, repository: Repository) -> None:
    def get(_: int) -> list[Path]:
        return classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(get, range(4)))
    assert all(result == results[0] for result in results)
    assert repository.fetches("alpha") == repository.fetches("beta") == 1


def test_a_download_that_differs_from_its_pin_is_refused_and_not_kept(
    tmp_path: Path, repository: Repository
) -> None:
    repository.write("beta", b"someone else's jar")
    with pytest.raises(JarsUntrustedError, match=r"beta-1\.0\.jar is not the one"):
        classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)
    assert not jar_dir(tmp_path / "cache", JARS).exists()
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_a_repository_without_a_jar_leaves_nothing_half_done(
    tmp_path: Path, repository: Repository
) -> None:
    (repository.folder / "org/example/beta/1.0/beta-1.0.jar").unlink()
    with pytest.raises(JarsUnavailableError, match=r"beta-1\.0\.jar") as caught:
        classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)
    assert "MGEO_MAVEN_REPOSITORY" in caught.value.hint
    assert not list((tmp_path / "cache").rglob("*.jar"))

    repository.write("beta", CONTENTS["beta"])
    assert len(classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)) == 2


def test_the_leftovers_of_a_killed_download_are_cleared(
    tmp_path: Path, repository: Repository
) -> None:
    folder = jar_dir(tmp_path / "cache", JARS)
    leftover = folder.parent / f".{folder.name}-fetch-abc"
    leftover.mkdir(parents=True)
    (leftover / "alpha-1.0.jar").write_bytes(b"half")
    classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)
    assert not leftover.exists()


@pytest.mark.parametrize("harm", ["changed", "removed"])
def test_a_jar_harmed_after_its_download_is_refused(
    tmp_path: Path, repository: Repository, harm: str
) -> None:
    paths = classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)
    if harm == "changed":
        paths[1].write_bytes(b"second jaR")
    else:
        paths[1].unlink()
    with pytest.raises(JarsUntrustedError, match=r"beta-1\.0\.jar") as caught:
        classpath(tmp_path / "cache", repository=repository.url, jar_set=JARS)
    assert str(paths[1].parent) in caught.value.hint


def test_the_pinned_set_names_every_jar_once() -> None:
    jar_set = pinned()
    names = [jar.filename for jar in jar_set.jars]
    assert len(names) == len(set(names))
    assert f"kafka_2.13-{jar_set.kafka_version}.jar" in names
    assert "log4j-slf4j-impl-2.24.3.jar" in names
    assert all(len(jar.sha256) == 64 for jar in jar_set.jars)


def test_verify_reads_every_byte(tmp_path: Path) -> None:
    content = b"x" * 1_000_000
    jar = Jar("g", "a", "1", hashlib.sha256(content).hexdigest())
    (tmp_path / jar.filename).write_bytes(content[:-1] + b"y")
    with pytest.raises(JarsUntrustedError):
        verify(tmp_path, [jar])
