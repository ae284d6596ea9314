"""The tutorials do what they say when somebody types them. Minutes each."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import LocalSettings
from tests.tutorials import ROOT, Typist, blocks

pytestmark = [pytest.mark.fault, pytest.mark.broker, pytest.mark.timeout(2400)]

PAGE = ROOT / "docs" / "tutorials" / "promote-a-model.md"


def test_the_tutorial_promotes_rolls_back_and_stops_a_damaged_model(
    tmp_path: Path, local_settings: LocalSettings
) -> None:
    with Typist(tmp_path, local_settings.cache_dir) as typist:
        for block in blocks(PAGE):
            typist.check_services()
            typed = typist.type(block)
            if typed is not None:
                print(f"--- {typed.seconds:.0f} s\n{block}{typed.out}{typed.err}")
                wanted = ["mgeo rollout start"] if "report-damaged" in block else []
                failed = [line[:18] for line in typed.failed.splitlines() if line[0] != " "]
                assert failed == wanted, typed.failed

        def after(start: str) -> str:
            return next(one.out for one in typist.typed if start in one.block)

        assert "PASSED" in after("--until PASSED")
        assert "PROMOTED" in after("--until PROMOTED")
        assert "ROLLED_BACK" in after("--until ROLLED_BACK")
        assert after("--report report-damaged").rstrip().endswith("1")
        assert list((typist.clone / "report-damaged").rglob("*.html"))
