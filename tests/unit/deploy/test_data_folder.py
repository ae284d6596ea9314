"""What a broker's data folder is judged to be, from what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import DataFolderError, DiskFullError
from deploy.local.storage import (
    FolderState,
    judge_folder,
    new_cluster_id,
    parse_meta,
    prepare_folder,
    require_free_disk,
)

META = {"version": "1", "cluster.id": "abc", "node.id": "1"}


@pytest.mark.parametrize(
    ("names", "meta", "state"),
    [
        ([], None, FolderState.EMPTY),
        (["meta.properties", "bootstrap.checkpoint"], META, FolderState.FORMATTED),
        (["meta.properties", "address.events-0", "notes.txt"], META, FolderState.FORMATTED),
        (["bootstrap.checkpoint"], None, FolderState.HALF_WRITTEN),
        (["meta.properties.tmp"], None, FolderState.HALF_WRITTEN),
        (["meta.properties"], {}, FolderState.HALF_WRITTEN),
        (["meta.properties", ".lock"], {"version": "1"}, FolderState.HALF_WRITTEN),
        (["__cluster_metadata-0", ".lock"], None, FolderState.HALF_WRITTEN),
        (["address.events-0", "address.events-1"], None, FolderState.DAMAGED),
        (["meta.properties", "address.events-0"], {"version": "1"}, FolderState.DAMAGED),
        (["address.events-0.3f-delete", ".lock"], None, FolderState.DAMAGED),
        (["thesis.docx"], None, FolderState.FOREIGN),
        (["address.events-0", "thesis.docx"], None, FolderState.FOREIGN),
    ],
)
def test_a_folder_is_judged_by_its_names(
    names: list[str], meta: dict[str, str] | None, state: FolderState
) -> None:
    assert judge_folder(names, meta) is state


def test_an_interrupted_format_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "meta.properties").write_text("version=1\ncluster.")
    assert prepare_folder(folder) is True
    assert not folder.exists()


@pytest.mark.parametrize("entry", ["address.events-0", "thesis.docx"])
def test_a_folder_with_somebodys_data_is_refused_and_left_alone(tmp_path: Path, entry: str) -> None:
    (tmp_path / entry).mkdir()
    with pytest.raises(DataFolderError) as caught:
        prepare_folder(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.hint
    assert (tmp_path / entry).exists()


def test_a_disk_without_room_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match=r"has \d+ MiB free; the broker needs 999999999 MiB"):
        require_free_disk(tmp_path / "not" / "there", 999_999_999)
    assert list(tmp_path.iterdir()) == []


def test_meta_properties_are_read_past_comments_and_blank_lines() -> None:
    assert parse_meta("# by Kafka\n\nversion=1\ncluster.id=a=b\n") == {
        "version": "1",
        "cluster.id": "a=b",
    }


def test_cluster_ids_are_never_mistaken_for_options() -> None:
    ids = {new_cluster_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(text) == 22 and not text.startswith("-") for text in ids)
