"""Pins of images: what a registry says today, and never anything else."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.image.digests import FILES, Image, images_in, main, repinned

DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
OLD = "0" * 64


def digest_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


class Registry(BaseHTTPRequestHandler):
    """A registry that wants a token, as Docker Hub does, and has images/known:1 alone."""

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        if self.headers.get("Authorization") != "Bearer for-reading":
            self.send_response(401)
            realm = f"http://{self.headers['Host']}/token"
            scope = "repository:images/known:pull"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",scope="{scope}"')
        elif self.path != "/v2/images/known/manifests/1":
            self.send_response(404)
        else:
            assert "image.index" in self.headers["Accept"]
            self.send_response(200)
            self.send_header("Docker-Content-Digest", f"sha256:{digest_of('known')}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        body = json.dumps({"token": "for-reading" if "scope=" in self.path else "none"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"docker.io=http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pin_becomes_what_the_registry_says(tmp_path: Path, registry: str) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM images/known:1@sha256:{OLD} AS base\nRUN true\n")

    assert main(["--registry", registry, str(file)]) == 0

    expected = f"FROM images/known:1@sha256:{digest_of('known')} AS base\nRUN true\n"
    assert file.read_text() == expected
    assert main(["--check", "--registry", registry, str(file)]) == 0


def test_a_check_says_that_a_tag_moved_and_changes_nothing(
    tmp_path: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(before := f"FROM images/known:1@sha256:{OLD}\n")

    assert main(["--check", "--registry", registry, str(file)]) == 1

    assert file.read_text() == before
    assert f"images/known:1  {OLD[:12]}… → {digest_of('known')[:12]}…" in capsys.readouterr().out


def test_what_the_registry_does_not_know_changes_nothing_at_all(
    tmp_path: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known, unknown = tmp_path / "known", tmp_path / "unknown"
    known.write_text(f"FROM images/known:1@sha256:{OLD}\n")
    unknown.write_text(f"FROM images/gone:1@sha256:{OLD}\n")

    assert main(["--registry", registry, str(known), str(unknown)]) == 6

    assert OLD in known.read_text()
    assert "Nothing was changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "registry", "repository"),
    [
        ("python", "docker.io", "library/python"),
        ("apache/kafka", "docker.io", "apache/kafka"),
        ("docker.io/library/python", "docker.io", "library/python"),
        ("ghcr.io/owner/name", "ghcr.io", "owner/name"),
        ("localhost:5000/a/b", "localhost:5000", "a/b"),
    ],
)
def test_a_name_says_who_is_asked_for_what(name: str, registry: str, repository: str) -> None:
    image = Image(name, "1")
    assert (image.registry, image.repository) == (registry, repository)


@given(old=DIGESTS, new=DIGESTS, around=st.text(" \n#FROMimage:", max_size=20))
def test_only_the_digest_is_replaced(old: str, new: str, around: str) -> None:
    def written(digest: str) -> str:
        return f"{around}\nFROM registry.example.org/team/base:1.2-slim@sha256:{digest}\n{around}"

    (image,) = images_in(written(old))
    assert image == Image("registry.example.org/team/base", "1.2-slim")
    assert repinned(written(old), {image: new}) == written(new)
    assert repinned(written(old), {}) == written(old)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_that_is_kept_up_to_date_names_an_image(file: Path) -> None:
    assert images_in(file.read_text("utf-8"))
