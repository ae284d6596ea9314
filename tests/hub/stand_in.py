"""A model hub on this machine that speaks the HTTP calls modelscope 1.40 makes to fetch models.

``GET /api/v1/models/{owner}/{name}/repo/files`` lists a revision, ``…/repo?FilePath=`` gives a
file (large ones by redirect, ranges honoured), ``…/revisions`` branches and tags. It can be
told to break in the ways a hub does. Run alone: ``python -m tests.hub.stand_in DIR`` serves
every ``DIR/<owner>/<name>/<revision>/``.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_MODEL = re.compile(r"/api/v1/models/([^/]+/[^/]+)(/repo/files|/repo|/revisions)?")
_FIRST_DAY = 1_790_000_000


@dataclass
class Faults:
    """What goes wrong, by file name; counted down where a number of times is given."""

    cut_after_bytes: dict[str, int] = field(default_factory=dict)
    """The connection breaks after so many bytes of the file …"""
    cuts: dict[str, int] = field(default_factory=dict)
    """… so many times; for ever without an entry."""
    corrupted: set[str] = field(default_factory=set)
    """The right number of bytes, but others than listed."""
    shortened: set[str] = field(default_factory=set)
    """A whole answer that is one byte short of what the listing says."""
    token: str | None = None
    """The only token that may read; others get 401, a wrong one 403."""
    extra_listed: list[str] = field(default_factory=list)
    """Paths that are listed beside the real ones."""


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    path: str
    file: str | None
    revision: str | None
    first_byte: int


class StandInHub:
    """Serves ``root/<owner>/<name>/<revision>/<files>``; a revision without files is none.

    Every revision directory is also a commit: the SHA-1 of its name. The newest one (by name)
    is what the branch ``master`` is at; those whose names start with ``v`` are tags.
    """

    def __init__(self, root: Path, port: int = 0) -> None:
        self.root = root
        self.faults = Faults()
        self.asked: list[Asked] = []
        hub = self

        class Handler(_Handler):
            stand_in = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def endpoint(self) -> str:
        """For ``MODELSCOPE_ENDPOINT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: connections are refused from now on. Twice is harmless."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def serve_for_ever(self) -> None:
        """In this thread, until interrupted."""
        self._server.serve_forever()

    def revisions(self, model: str) -> list[str]:
        """Oldest first."""
        folder = self.root / model
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def files(self, model: str, revision: str | None) -> Path | None:
        """The directory of a revision, by name, commit or branch; None if there is none."""
        known = self.revisions(model)
        if revision in (None, "master"):
            return self.root / model / known[-1] if known else None
        for name in known:
            if revision in (name, commit_of(name)):
                return self.root / model / name
        return None


def commit_of(revision: str) -> str:
    """The commit that a revision directory is."""
    return hashlib.sha1(revision.encode(), usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Tests ask ``asked`` instead."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        large = url.path.startswith("/lfs/")
        match = _MODEL.fullmatch(url.path.removeprefix("/lfs"))
        byte = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        self.stand_in.asked.append(
            Asked(
                url.path,
                query.get("FilePath"),
                query.get("Revision"),
                int(byte[1]) if byte else 0,
            )
        )
        if match is None:
            self._json(404, {"Code": 10010205001, "Message": "not found", "Success": False})
            return
        if not large and not self._may_read():
            return
        model, what = match[1], match[2] or ""
        if what == "/revisions":
            self._revisions(model)
            return
        directory = self.stand_in.files(model, query.get("Revision"))
        if directory is None:
            self._json(
                404,
                {"Code": 10010205001, "Message": "record not found", "Success": False},
            )
        elif what == "/repo/files":
            self._listing(directory)
        elif what == "/repo":
            self._file(directory / query["FilePath"], byte, redirect=not large)
        else:
            self._json(200, {"Code": 200, "Data": {"Name": model}, "Success": True})

    def _may_read(self) -> bool:
        wanted = self.stand_in.faults.token
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if wanted is None or given == wanted:
            return True
        status = 403 if given else 401
        self._json(status, {"Code": 10010101010, "Message": "denied", "Success": False})
        return False

    def _revisions(self, model: str) -> None:
        names = self.stand_in.revisions(model)
        tags = [
            {"Revision": name, "CreatedAt": _FIRST_DAY + index}
            for index, name in enumerate(names)
            if name.startswith("v")
        ]
        branches = [{"Revision": "master", "CreatedAt": _FIRST_DAY}]
        self._json(
            200,
            {"Code": 200, "Data": {"RevisionMap": {"Branches": branches, "Tags": tags}}},
        )

    def _listing(self, directory: Path) -> None:
        day = _FIRST_DAY + self.stand_in.revisions(
            str(directory.parent.relative_to(self.stand_in.root))
        ).index(directory.name)
        files = []
        for path in sorted(directory.iterdir()):
            content = path.read_bytes()
            files.append(
                {
                    "Name": path.name,
                    "Path": path.name,
                    "Type": "blob",
                    "Size": len(content),
                    "Sha256": hashlib.sha256(content).hexdigest(),
                    "CommitId": commit_of(directory.name),
                    "Revision": commit_of(directory.name),
                    "CommittedDate": day,
                    "IsLFS": _is_large(path),
                }
            )
        files += [
            {"Name": p, "Path": p, "Type": "blob", "Size": 1, "Sha256": ""}
            for p in self.stand_in.faults.extra_listed
        ]
        self._json(200, {"Code": 200, "Data": {"Files": files}, "Success": True})

    def _file(self, path: Path, byte: re.Match[str] | None, *, redirect: bool) -> None:
        if not path.is_file():
            self._json(404, {"Code": 404, "Message": "no such file", "Success": False})
            return
        if redirect and _is_large(path):
            self.send_response(302)
            self.send_header("Location", f"{self.stand_in.endpoint}/lfs{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        faults = self.stand_in.faults
        content = path.read_bytes()
        if path.name in faults.corrupted:
            content = bytes(byte ^ 0xFF for byte in content)
        if path.name in faults.shortened:
            content = content[:-1]
        first = min(int(byte[1]), len(content)) if byte else 0
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        cut = faults.cut_after_bytes.get(path.name)
        if cut is not None and faults.cuts.get(path.name, 1) > 0:
            if path.name in faults.cuts:
                faults.cuts[path.name] -= 1
            self.wfile.write(content[first : first + cut])
            self.close_connection = True
        else:
            self.wfile.write(content[first:])

    def _json(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _is_large(path: Path) -> bool:
    return path.suffix in (".bin", ".safetensors")


if __name__ == "__main__":
    alone = StandInHub(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"MODELSCOPE_ENDPOINT={alone.endpoint}", flush=True)
    alone.serve_for_ever()
