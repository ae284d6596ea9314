"""How levels may be written."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from contracts.settings import LogSettings


@pytest.mark.parametrize("written", ["debug", "DEBUG", "Debug"])
def test_a_level_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("MGEO_LOG_LEVEL", written)
    assert LogSettings().log_level == "DEBUG"


def test_another_word_is_no_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGEO_LOG_LEVEL", "loud")
    with pytest.raises(ValidationError):
        LogSettings()
