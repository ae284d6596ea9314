"""The guide's table of exit codes is the program's."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.cli import exit_codes

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "rollout.md"


def test_the_table_of_exit_codes_says_what_the_program_means() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == exit_codes.MEANINGS


def test_the_meanings_are_in_order_of_their_codes() -> None:
    assert list(exit_codes.MEANINGS) == sorted(exit_codes.MEANINGS)
