"""The audit through its real tools, against a database of advisories that the test answers for.

`make audit` installs the tools and runs this before it audits anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("MGEO_TEST_AUDIT_TOOLS", ROOT / ".venv-audit" / "bin"))

pytestmark = pytest.mark.skipif(
    not (TOOLS / "pip-audit").exists(), reason="the audit's tools are installed by `make audit`"
)


@contextmanager
def advisories(of: Mapping[str, list[dict[str, object]]], *, status: int = 200) -> Iterator[str]:
    """A database in OSV's protocol; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked = json.loads(self.rfile.read(length))
            found = of.get(asked["package"]["name"])
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hole(package: str) -> dict[str, object]:
    return {
        "id": "OSV-1",
        "aliases": ["CVE-2026-1"],
        "summary": "a hole",
        "affected": [
            {
                "package": {"name": package, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "9.9"}]}],
            }
        ],
    }


def audited(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    constraints = folder / "constraints.txt"
    constraints.write_text("# two\nh11==0.16.0\nPyYAML==6.0.2\n")
    return run("audit", folder / "audit.json", "--constraints", str(constraints), options)


def run(what: str, out: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    *ours, more = arguments
    return subprocess.run(
        [
            *(sys.executable, "-m", "deploy.security", what, "--tools", str(TOOLS)),
            *("--out", str(out), *map(str, ours)),
            *(("--", *more) if more else ()),  # type: ignore[misc]  # options of the tool
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(out.parent)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def osv(address: str) -> tuple[str, ...]:
    return ("--vulnerability-service", "osv", "--osv-url", address)


def test_nothing_known_is_clean(tmp_path: Path) -> None:
    with advisories({}) as address:
        outcome = audited(tmp_path, *osv(address))
    assert outcome.returncode == 0, outcome.stderr
    assert "2 packages audited: 0 open" in outcome.stdout
    assert (tmp_path / "audit.json").is_file()


def test_a_known_hole_is_named_and_leaves_with_1(tmp_path: Path) -> None:
    with advisories({"pyyaml": [hole("pyyaml")]}) as address:
        outcome = audited(tmp_path, *osv(address))
    assert outcome.returncode == 1
    # The tool takes the CVE's name where a hole has one, and keeps the database's beside it.
    assert "pyyaml 6.0.2: cve-2026-1, fixed in 9.9" in outcome.stdout.lower()
    assert "OSV-1" in (tmp_path / "audit.json").read_text()
    assert "2 packages audited: 1 open" in outcome.stdout


@pytest.mark.parametrize("how", ["away", "broken"])
def test_a_database_that_does_not_answer_is_no_clean_audit(tmp_path: Path, how: str) -> None:
    with advisories({}, status=503) as address:
        where = address if how == "broken" else "http://127.0.0.1:1/v1/query"
        outcome = audited(tmp_path, *osv(where))
    assert outcome.returncode == 3, outcome.stdout
    assert outcome.stderr.startswith("Not audited")
    assert not (tmp_path / "audit.json").exists()


def test_the_list_of_contents_holds_what_is_installed(tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    outcome = run("sbom", out, ())
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    document = json.loads(out.read_text())
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "mgeo-stream"
    components = {one["name"].lower(): one for one in document["components"]}
    assert components["aiokafka"]["version"]
    assert components["aiokafka"]["purl"].startswith("pkg:pypi/aiokafka@")
    assert {"pydantic", "cryptography", "typer"} <= components.keys()
    # What the audit is made with is no part of what is shipped.
    assert "pip-audit" not in components
    assert any(one.get("dependsOn") for one in document["dependencies"])


def test_a_list_of_contents_that_lacks_something_leaves_with_1(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("aiokafka==0.0.1\n")
    fake = tmp_path / "tools"
    fake.mkdir()
    program = fake / "cyclonedx-py"
    program.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        f"echo '{{\"components\": []}}' > {tmp_path / 'sbom.json'}\n"
    )
    program.chmod(0o755)
    outcome = subprocess.run(
        [
            *(sys.executable, "-m", "deploy.security", "sbom", "--tools", str(fake)),
            *("--out", str(tmp_path / "sbom.json"), "--constraints", str(constraints)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1, outcome.stderr
    assert "missing   aiokafka==" in outcome.stdout
