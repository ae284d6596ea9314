"""`python -m deploy.security`: the command line, with programs that answer as the tools do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.security.__main__ import main

FOUND = {"name": "h11", "version": "0.16.0", "vulns": []}


def tool(folder: Path, name: str, script: str) -> Path:
    """A folder of tools with this one in it; it notes how it was called in ``called``."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$@" >"{folder}/called"\n{script}\n')
    program.chmod(0o755)
    return program.parent


def audit(folder: Path, tools: Path, *more: str) -> int:
    out = str(folder / "audit.json")
    return main(["audit", "--tools", str(tools), "--out", out, *more])


def test_what_follows_two_dashes_reaches_the_tool(tmp_path: Path) -> None:
    """With options before it, as `make audit` writes them."""
    document = json.dumps({"dependencies": [FOUND], "fixes": []})
    tools = tool(tmp_path, "pip-audit", f"echo '{document}'")
    assert audit(tmp_path, tools, "--", "--vulnerability-service", "osv") == 0
    assert (tmp_path / "called").read_text().endswith("--vulnerability-service osv\n")
    assert json.loads((tmp_path / "audit.json").read_text()) == json.loads(document)


def test_a_known_hole_leaves_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hole = {"id": "OSV-1", "aliases": [], "fix_versions": ["9.9"], "description": ""}
    document = json.dumps({"dependencies": [FOUND | {"vulns": [hole]}], "fixes": []})
    tools = tool(tmp_path, "pip-audit", f"echo '{document}'; exit 1")
    assert audit(tmp_path, tools) == 1
    assert "h11 0.16.0: OSV-1, fixed in 9.9" in capsys.readouterr().out


def test_no_answer_leaves_with_3_and_no_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = tool(tmp_path, "pip-audit", "echo 'the network is away' >&2; exit 1")
    assert audit(tmp_path, tools) == 3
    assert "Not audited" in capsys.readouterr().err
    assert not (tmp_path / "audit.json").exists()


def test_the_tools_own_words_are_not_taken_for_ours(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        audit(tmp_path, tmp_path, "--vulnerability-service", "osv")
    assert left.value.code == 2
