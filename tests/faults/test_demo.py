"""The demo tells its whole story and its books balance. Minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.brokers.program import Program

pytestmark = [pytest.mark.fault, pytest.mark.broker, pytest.mark.timeout(1800)]


def test_the_demo_promotes_stops_and_rolls_back_and_its_books_balance(
    mgeo: Program, tmp_path: Path
) -> None:
    process = mgeo.start("demo", "--reports", str(tmp_path / "reports"))
    out, err = process.communicate(timeout=1700)
    print(out)

    assert process.returncode == 0, out + err
    for word in ("PROMOTED", "ABORTED", "ROLLED_BACK", "The books balance"):
        assert word in out
    for name in ("release-two", "damaged", "rolled-back"):
        assert list((tmp_path / "reports" / name).glob("*.html")), name
