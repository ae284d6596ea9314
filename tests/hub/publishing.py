"""Real little models on the stand-in hub."""

from __future__ import annotations

import pytest

from tests.hub.stand_in import StandInHub
from tests.models.tiny import write_tiny_checkpoint

TAGGING = "damo/mgeo_geographic_elements_tagging_chinese_base"


def publish_tiny(hub: StandInHub, revision: str, *, seed: int, model: str = TAGGING) -> None:
    """Put a tiny checkpoint on the hub."""
    write_tiny_checkpoint(hub.root / model / revision, seed=seed)


def point_at(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make modelscope's client ask this hub, without the waits that are for the internet."""
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_RETRY_MAX_DELAY_SECONDS", 0)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_INTEGRITY_RETRY_BACKOFF", 0.0)
    monkeypatch.setattr("modelscope_hub._legacy_api.REPO_TREE_PAGE_RETRY_MAX_DELAY_SECONDS", 0)
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.endpoint)
