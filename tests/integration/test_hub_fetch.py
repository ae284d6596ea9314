"""Fetching through modelscope's own client, against a hub on this machine that can misbehave."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.store.hub import fetch
from consumer.store.source import HubModel, parse_hub_model
from contracts.errors import BackendUnreachableError, FatalError, UsageError
from tests.hub.publishing import TAGGING, point_at
from tests.hub.stand_in import StandInHub, commit_of

MODEL = TAGGING
PINNED = HubModel(MODEL, "v1.0.0")
WEIGHTS = "pytorch_model.bin"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    for revision in ("v1.0.0", "v1.1.0"):
        publish(tmp_path / "hub" / MODEL / revision, revision)
    with StandInHub(tmp_path / "hub") as running:
        point_at(running, monkeypatch)
        yield running


def publish(directory: Path, seed: str) -> None:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text('{"hidden_size": 4}')
    (directory / "configuration.json").write_text('{"task": "token-classification"}')
    (directory / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    (directory / WEIGHTS).write_bytes(hashlib.sha256(seed.encode()).digest() * 4096)
    (directory / "modeling.py").write_text("raise SystemExit('code of a model ran')")


def content(hub: StandInHub, revision: str, name: str) -> bytes:
    return (hub.root / MODEL / revision / name).read_bytes()


def test_a_pinned_revision_is_fetched_whole_and_then_works_without_the_hub(
    hub: StandInHub, tmp_path: Path
) -> None:
    fetched = fetch(PINNED, tmp_path / "cache")
    for name in ("config.json", "vocab.txt", WEIGHTS):
        assert (fetched.directory / name).read_bytes() == content(hub, "v1.0.0", name)
    assert not (fetched.directory / "modeling.py").exists(), "code was fetched"
    hub.stop()
    again = fetch(PINNED, tmp_path / "cache")
    assert again.directory == fetched.directory
    assert again.from_cache
    assert fetch(HubModel(MODEL), tmp_path / "cache", offline=True).model == PINNED


def test_without_a_revision_the_newest_commit_is_pinned_and_said(
    hub: StandInHub, tmp_path: Path
) -> None:
    said: list[str] = []
    fetched = fetch(HubModel(MODEL), tmp_path / "cache", notice=said.append)
    assert fetched.model.revision == commit_of("v1.1.0")
    assert (fetched.directory / WEIGHTS).read_bytes() == content(hub, "v1.1.0", WEIGHTS)
    assert f"{MODEL}@{commit_of('v1.1.0')}" in said[0]
    publish(hub.root / MODEL / "v1.2.0", "later")
    assert fetch(fetched.model, tmp_path / "cache").from_cache
    moved = fetch(HubModel(MODEL), tmp_path / "cache")
    assert moved.model.revision == commit_of("v1.2.0")


def test_offline_what_was_never_fetched_is_an_error_at_once(tmp_path: Path) -> None:
    before = time.monotonic()
    with pytest.raises(UsageError) as refused:
        fetch(PINNED, tmp_path / "cache", offline=True)
    assert time.monotonic() - before < 1
    assert refused.value.code == "not_fetched"
    assert "mgeo model fetch modelscope:damo/" in refused.value.hint


def test_an_unreachable_hub_is_an_error_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        before = time.monotonic()
        with pytest.raises(BackendUnreachableError) as refused:
            fetch(PINNED, tmp_path / "cache")
    assert time.monotonic() - before < 6
    assert refused.value.code == "hub_unreachable"
    assert "mgeo model add DIR" in refused.value.hint


def test_a_broken_connection_is_resumed_where_it_stopped(hub: StandInHub, tmp_path: Path) -> None:
    hub.faults.cut_after_bytes[WEIGHTS] = 50_000
    hub.faults.cuts[WEIGHTS] = 2
    fetched = fetch(PINNED, tmp_path / "cache")
    assert (fetched.directory / WEIGHTS).read_bytes() == content(hub, "v1.0.0", WEIGHTS)
    starts = [a.first_byte for a in hub.asked if a.path.startswith("/lfs") and a.file == WEIGHTS]
    assert starts == [0, 50_000, 100_000]


def test_a_download_that_never_ends_is_not_usable_and_resumes_later(
    hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_RETRY_TIMES", 1)
    hub.faults.cut_after_bytes[WEIGHTS] = 10_000
    with pytest.raises(BackendUnreachableError) as refused:
        fetch(PINNED, tmp_path / "cache")
    assert refused.value.code == "hub_unreachable"
    assert "goes on from there" in refused.value.hint
    with pytest.raises(UsageError, match="not been fetched"):
        fetch(PINNED, tmp_path / "cache", offline=True)
    hub.faults.cut_after_bytes.clear()
    hub.asked.clear()
    fetched = fetch(PINNED, tmp_path / "cache")
    assert (fetched.directory / WEIGHTS).read_bytes() == content(hub, "v1.0.0", WEIGHTS)
    assert any(a.first_byte == 20_000 for a in hub.asked)


@pytest.mark.parametrize("fault", ["corrupted", "shortened"])
def test_other_bytes_than_listed_are_refused(hub: StandInHub, tmp_path: Path, fault: str) -> None:
    getattr(hub.faults, fault).add(WEIGHTS)
    with pytest.raises(FatalError) as refused:
        fetch(PINNED, tmp_path / "cache")
    assert refused.value.code == "hub_digest_mismatch"
    assert not list((tmp_path / "cache").rglob(WEIGHTS)), "bytes that were refused were kept"


def test_a_fetched_copy_that_was_damaged_since_is_not_used(hub: StandInHub, tmp_path: Path) -> None:
    fetched = fetch(PINNED, tmp_path / "cache")
    (fetched.directory / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(UsageError, match="damaged"):
        fetch(PINNED, tmp_path / "cache", offline=True)
    again = fetch(PINNED, tmp_path / "cache")
    assert (again.directory / WEIGHTS).read_bytes() == content(hub, "v1.0.0", WEIGHTS)


@pytest.mark.parametrize(
    "model", [HubModel(MODEL, "v9.9.9"), HubModel("damo/no_such_model", "v1.0.0")]
)
@pytest.mark.usefixtures("hub")
def test_an_unknown_model_or_revision_is_named(tmp_path: Path, model: HubModel) -> None:
    with pytest.raises(UsageError) as refused:
        fetch(model, tmp_path / "cache")
    assert refused.value.code == "hub_not_found"
    assert str(model) in str(refused.value)


def test_a_private_model_says_which_token_it_wants(hub: StandInHub, tmp_path: Path) -> None:
    hub.faults.token = "right"  # noqa: S105  (of the stand-in)
    with pytest.raises(UsageError) as refused:
        fetch(PINNED, tmp_path / "cache")
    assert refused.value.code == "hub_unauthorized"
    assert "MODELSCOPE_API_TOKEN" in refused.value.hint


def test_a_token_without_access_is_told_apart(
    hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.faults.token = "right"  # noqa: S105  (of the stand-in)
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "wrong")
    from modelscope_hub import HubConfig, set_default_config

    set_default_config(HubConfig())
    try:
        with pytest.raises(UsageError) as refused:
            fetch(PINNED, tmp_path / "cache")
        assert refused.value.code == "hub_forbidden"
        assert "wrong" not in str(refused.value) + refused.value.hint
        monkeypatch.setenv("MODELSCOPE_API_TOKEN", "right")
        set_default_config(HubConfig())
        assert fetch(PINNED, tmp_path / "cache").size_bytes > 0
    finally:
        monkeypatch.delenv("MODELSCOPE_API_TOKEN")
        set_default_config(HubConfig())


def test_a_listed_path_cannot_lead_out_of_the_cache(hub: StandInHub, tmp_path: Path) -> None:
    hub.faults.extra_listed = ["../../../../escaped.json", "/tmp/escaped.json", "sub/config.json"]  # noqa: S108
    fetch(PINNED, tmp_path / "cache")
    assert not list(tmp_path.rglob("escaped.json"))
    assert not any(a.file and "escaped" in a.file for a in hub.asked)


@pytest.mark.parametrize(
    "name",
    [
        "damo/mgeo_backbone_chinese_base",
        "iic/mgeo_address_ranking_chinese_base",
        "damo/mgeo_geographic_entity_alignment_chinese_base",
        "damo/mgeo_geographic_composition_analysis_chinese_base",
        "damo/mgeo_geographic_where_what_cut_chinese_base",
    ],
)
def test_sibling_models_are_refused_by_name_before_anything_is_asked(
    hub: StandInHub, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError) as refused:
        fetch(HubModel(name, "v1.0.0"), tmp_path / "cache")
    assert refused.value.code == "wrong_model_kind"
    assert hub.asked == []


def test_a_wrong_task_is_refused_before_its_weights_are_fetched(
    hub: StandInHub, tmp_path: Path
) -> None:
    other = "someone/renamed"
    publish(hub.root / other / "v1.0.0", "x")
    (hub.root / other / "v1.0.0" / "configuration.json").write_text('{"task": "text-ranking"}')
    with pytest.raises(UsageError, match="address ranking model"):
        fetch(HubModel(other, "v1.0.0"), tmp_path / "cache")
    assert WEIGHTS not in {a.file for a in hub.asked}


@pytest.mark.parametrize(
    "text", ["damo", "damo/", "a/b/c", "modelscope:../x@y", "damo/x@", "damo/x@../../y", "da mo/x"]
)
def test_what_is_no_hub_id_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_hub_model(text)
    assert refused.value.code == "bad_hub_id"
