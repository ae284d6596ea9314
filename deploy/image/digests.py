"""``python -m deploy.image.digests``: pins every image that is used to what its tag means today.

Rewrites ``NAME:TAG@sha256:…`` in the Dockerfile and the Compose file, with what the registry says;
``--check`` changes nothing and leaves with 1 where a tag has moved on. It never makes up a digest.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).parents[2]
FILES: Final = (ROOT / "Dockerfile", ROOT / "deploy/compose/compose.yaml")
"""Where images are named."""

_PINNED: Final = re.compile(
    r"(?P<name>[a-z0-9][\w.:-]*(?:/[a-z0-9][\w.-]*)+):(?P<tag>[\w.-]+)@sha256:(?P<digest>[0-9a-f]{64})"
)
_HUB: Final = "docker.io"
# Lists of platforms first: a digest of one platform's image would pin the others out.
_KINDS: Final = (
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)


@dataclass(frozen=True, slots=True)
class Image:
    """What a reference names, without its digest."""

    name: str
    """As written: ``apache/kafka``, ``docker.io/library/python``, ``ghcr.io/owner/name``."""
    tag: str

    @property
    def registry(self) -> str:
        """The host; Docker Hub where none is written."""
        first, slash, _ = self.name.partition("/")
        return first if slash and ("." in first or ":" in first) else _HUB

    @property
    def repository(self) -> str:
        """The path at that host."""
        path = self.name.removeprefix(f"{self.registry}/")
        return path if "/" in path or self.registry != _HUB else f"library/{path}"


def images_in(text: str) -> dict[Image, str]:
    """Every pinned image of a file, with its digest."""
    return {Image(m["name"], m["tag"]): m["digest"] for m in _PINNED.finditer(text)}


def repinned(text: str, digests: Mapping[Image, str]) -> str:
    """The same file with these digests; images that are not named stay as they are."""

    def put(match: re.Match[str]) -> str:
        image = Image(match["name"], match["tag"])
        return f"{image.name}:{image.tag}@sha256:{digests.get(image, match['digest'])}"

    return _PINNED.sub(put, text)


class Registries:
    """Asks registries what a tag means, by the HTTP interface that all of them have.

    Args:
        elsewhere: for some hosts the address that is asked instead, such as a mirror.
    """

    def __init__(self, client: httpx.Client, elsewhere: Mapping[str, str]) -> None:
        self._client = client
        self._elsewhere = {_HUB: "https://registry-1.docker.io", **elsewhere}

    def digest(self, image: Image) -> str:
        """64 hexadecimal digits.

        Raises:
            httpx.HTTPError: the registry does not answer, or has no such image.
            ValueError: its answer holds no digest.
        """
        base = self._elsewhere.get(image.registry, f"https://{image.registry}")
        url = f"{base}/v2/{image.repository}/manifests/{image.tag}"
        answer = self._client.head(url, headers={"Accept": _KINDS})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            token = self._token(answer.headers.get("WWW-Authenticate", ""))
            headers = {"Accept": _KINDS, "Authorization": f"Bearer {token}"}
            answer = self._client.head(url, headers=headers)
        answer.raise_for_status()
        found = str(answer.headers.get("Docker-Content-Digest", ""))
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
            raise ValueError(f"{base} named no digest for {image.name}:{image.tag}")
        return found.removeprefix("sha256:")

    def _token(self, challenge: str) -> str:
        """A token for whoever may read without a name; public images need no more."""
        asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if "realm" not in asked:
            raise ValueError("the registry wants a login that this program cannot give")
        realm = asked.pop("realm")
        answer = self._client.get(realm, params=asked)
        answer.raise_for_status()
        body = answer.json()
        return str(body.get("token") or body.get("access_token"))


def update(
    files: Iterable[Path], digest: Callable[[Image], str], *, write: bool
) -> list[tuple[Image, str, str]]:
    """Bring every pin up to date; what moved, with its old and its new digest."""
    texts = {file: file.read_text("utf-8") for file in files}
    pinned: dict[Image, str] = {}
    for text in texts.values():
        pinned |= images_in(text)
    current = {image: digest(image) for image in pinned}
    if write:
        for file, text in texts.items():
            file.write_text(repinned(text, current), encoding="utf-8")
    return [(image, old, current[image]) for image, old in pinned.items() if current[image] != old]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.image.digests", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if a tag moved")
    parser.add_argument("files", nargs="*", type=Path, help="default: all that name images")
    parser.add_argument(
        "--registry",
        action="append",
        default=[],
        metavar="HOST=URL",
        help="ask this address for the images of that host, e.g. docker.io=http://mirror:5000",
    )
    given = parser.parse_args(arguments)
    elsewhere = dict(pair.split("=", 1) for pair in given.registry)
    with httpx.Client(timeout=30, follow_redirects=True) as client:
        registries = Registries(client, elsewhere)
        try:
            moved = update(given.files or FILES, registries.digest, write=not given.check)
        except (httpx.HTTPError, ValueError) as error:
            print(f"Nothing was changed: {error}", file=sys.stderr)
            return 6
    for image, old, new in moved:
        print(f"{image.name}:{image.tag}  {old[:12]}… → {new[:12]}…")
    if not moved:
        print("Every pin is what its tag means today.")
    return 1 if moved and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
