"""`python -m deploy.security audit|sbom`: what `make audit` runs. Exit codes are its interface.

0: no known hole · 1: known holes, or a list of contents that lacks something · 3: the database
of advisories could not be asked, so nothing is known.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from contracts.errors import MgeoError
from deploy.security.advisories import Audit, judge, read_accepted, read_printed
from deploy.security.contents import missing_from, read_contents

CLEAN, WRONG, UNKNOWN = 0, 1, 3

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[1]
_EXIT_CODES: Final = {"clean": CLEAN, "vulnerable": WRONG, "not_audited": UNKNOWN}


def main(given: list[str] | None = None) -> int:
    """Run one of the two; words after ``--`` are options of the tool itself."""
    parser = argparse.ArgumentParser(prog="python -m deploy.security", description=__doc__)
    parser.add_argument("what", choices=("audit", "sbom"))
    parser.add_argument(
        "--tools", type=Path, required=True, help="folder of pip-audit and cyclonedx-py"
    )
    parser.add_argument("--constraints", type=Path, default=_ROOT / "constraints.txt")
    parser.add_argument("--out", type=Path, required=True, help="where the tool's document goes")
    # What comes after -- is the tool's own. Cut off here: argparse of Python 3.11 takes such
    # a rest for unknown where options stand between it and the first word.
    given = sys.argv[1:] if given is None else given
    cut = given.index("--") if "--" in given else len(given)
    arguments = parser.parse_args(given[:cut])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    run = _audit if arguments.what == "audit" else _sbom
    try:
        return run(arguments.tools, arguments.constraints, arguments.out, given[cut + 1 :])
    except MgeoError as error:
        print(f"Error: {error}\n{error.hint}", file=sys.stderr)
        return WRONG


def _audit(tools: Path, constraints: Path, out: Path, more: list[str]) -> int:
    # Everything is pinned, so nothing has to be resolved, downloaded or installed for it.
    command = [
        *(str(tools / "pip-audit"), "--requirement", str(constraints), "--no-deps"),
        *("--disable-pip", "--format", "json", "--progress-spinner", "off", *more),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own command line)
    dependencies = read_printed(ran.stdout)
    if dependencies is None:
        print("Not audited: the database of advisories could not be asked.", file=sys.stderr)
        print(*ran.stderr.strip().splitlines()[-3:], sep="\n", file=sys.stderr)
        return UNKNOWN
    out.write_text(ran.stdout, encoding="utf-8")
    accepted = read_accepted((_HERE / "accepted-advisories.json").read_text(encoding="utf-8"))
    audit = judge(dependencies, accepted, today=datetime.now(UTC).date())
    _tell(audit)
    return _EXIT_CODES[audit.verdict]


def _tell(audit: Audit) -> None:
    for finding in audit.open:
        print(f"open      {finding.sentence}")
    for finding in audit.accepted:
        print(f"accepted  {finding.sentence}")
    for dependency in audit.unaudited:
        print(f"unknown   {dependency.name}: {dependency.skip_reason}")
    for one in audit.unneeded:
        print(f"unneeded  {one.id} of {one.package} is accepted and no longer found: take it out")
    print(
        f"{audit.audited} packages audited: {len(audit.open)} open, "
        f"{len(audit.accepted)} accepted, {len(audit.unaudited)} unknown."
    )


def _sbom(tools: Path, constraints: Path, out: Path, more: list[str]) -> int:
    """Of the environment that runs this: what is really installed, not what was asked for."""
    command = [
        *(str(tools / "cyclonedx-py"), "environment", sys.executable),
        *("--pyproject", str(_ROOT / "pyproject.toml"), "--mc-type", "application"),
        *("--output-format", "JSON", "--output-reproducible", "--output-file", str(out), *more),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own command line)
    if ran.returncode != 0:
        print(ran.stderr, file=sys.stderr)
        return WRONG
    contents = read_contents(out.read_text(encoding="utf-8"))
    lacking = missing_from(contents, constraints.read_text(encoding="utf-8"))
    for line in lacking:
        print(f"missing   {line}")
    print(f"{len(contents)} components in {out}; {len(lacking)} that are installed are missing.")
    return WRONG if lacking else CLEAN


if __name__ == "__main__":
    sys.exit(main())
